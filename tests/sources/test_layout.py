"""Names of a bucket as `datasets` sees them, in a folder of empty files."""

import pytest

from pipeline.errors import SimileError
from pipeline.sources.layout import layout_of


@pytest.mark.parametrize(
    "files",
    [
        ["data/train-00000-of-00001.parquet", f"data/{'a' * 300}.parquet"],
        ["data/train.parquet", "data/train.parquet/more.parquet"],
        ["../data/train.parquet"],
    ],
)
def test_names_that_no_folder_can_have_are_a_sentence(files: list[str]) -> None:
    with pytest.raises(SimileError, match=r"^'s3://a/b' holds a file called '.{10,81}', which .*; rename it"):
        layout_of("s3://a/b", files, None, None)

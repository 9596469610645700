"""How a dataset on the Hub may be written."""

import pytest

from pipeline.errors import SimileError
from pipeline.sources.hub_address import HubAddress, hub_address

PAGE = "https://huggingface.co/datasets/org/name"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("org/name", ("org/name",)),
        ("hf://datasets/org/name", ("org/name",)),
        ("hf://datasets/org/name@v1.0/data/", ("org/name", "v1.0", "data")),
        ("hf://datasets/org/name@refs/pr/3/a/b.tar", ("org/name", "refs/pr/3", "a/b.tar")),
        (f"{PAGE}", ("org/name",)),
        (f"{PAGE}/", ("org/name",)),
        (f"{PAGE}?row=3", ("org/name",)),
        (f"{PAGE}/tree/main", ("org/name", "main")),
        (f"{PAGE}/tree/refs%2Fconvert%2Fparquet/default", ("org/name", "refs/convert/parquet", "default")),
        (f"{PAGE}/blob/main/a%20b/c.parquet", ("org/name", "main", "a b/c.parquet")),
        (f"{PAGE}/viewer/plain_text/train?p=1", ("org/name", None, "", "plain_text")),
        ("https://hf.co/datasets/org/name", ("org/name",)),
    ],
)
def test_ways_to_write_it(source: str, found: tuple[str, ...]) -> None:
    assert hub_address(source) == HubAddress(*found)


@pytest.mark.parametrize(
    "source", ["https://example.org/datasets/org/name", "cifar10", "s3://org/name", "https://[x"]
)
def test_other_addresses_are_none_of_the_hub(source: str) -> None:
    assert hub_address(source) is None


@pytest.mark.parametrize("source", ["hf://models/org/name", "https://huggingface.co/org/model?token=x"])
def test_what_is_no_dataset_is_refused(source: str) -> None:
    with pytest.raises(SimileError, match=r"expected (hf|https)://.*datasets/org/name") as caught:
        hub_address(source)
    assert "token" not in str(caught.value)

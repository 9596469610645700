"""Charts of the report: what is written on them stays on them."""

import re

import numpy as np
import pytest

from pipeline.report.charts import histogram


@pytest.mark.parametrize(("value", "anchor"), [(0.1, "start"), (0.97, "end")])
def test_the_name_of_a_mark_is_written_towards_the_middle(value: float, anchor: str) -> None:
    chart = histogram({"pairs": np.linspace(0, 1, 1000)}, {"threshold": value})
    (found,) = re.findall(r'class="mark-name" text-anchor="(\w+)"', chart)
    assert found == anchor

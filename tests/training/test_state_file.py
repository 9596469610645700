"""A checkpoint of a training run that is damaged, or that is none."""

import pytest
import torch

from pipeline.errors import SimileError
from pipeline.training.state_file import read_state


def test_what_was_saved_is_read(tmp_path):
    torch.save({"network": {"w": torch.ones(2)}, "epoch": 3}, tmp_path / "state.pt")
    assert read_state(tmp_path / "state.pt")["epoch"] == 3


class Trap:
    def __reduce__(self):
        return print, ("opened",)


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "code", "other"])
def test_a_damaged_one_is_a_sentence(damage, tmp_path, capsys):
    file = tmp_path / "state.pt"
    torch.save(Trap() if damage == "code" else {"network": 1} if damage == "cut" else [1], file)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    elif damage in ("empty", "noise"):
        file.write_bytes(b"" if damage == "empty" else bytes(range(256)) * 4)
    with pytest.raises(SimileError, match="start again with --fresh") as raised:
        read_state(file)
    assert "\n" not in str(raised.value) and "opened" not in capsys.readouterr().out

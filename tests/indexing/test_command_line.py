"""What the command line of an index job becomes, and the command that is printed to go on."""

from pathlib import Path

import pytest

from ray_jobs.index import parse_arguments, resolve_config
from ray_jobs.session import command_again


@pytest.mark.parametrize(
    ("given", "added"),
    [
        (["my.yaml", "--source", "/data/my photos", "--limit", "5"], " --home '/data/the home'"),
        (["my.yaml", "--home", "/data/other", "--follow-links"], ""),
        (["my.yaml", "--home=/data/other"], ""),
    ],
)
def test_the_command_to_go_on_is_complete(given: list[str], added: str) -> None:
    said = command_again("index", parse_arguments(given).given, "/data/the home")
    assert said.startswith("python -m ray_jobs.index my.yaml --") and said.endswith(added or given[-1])
    assert said.count("--home") == 1


def test_the_command_to_go_on_holds_no_secret_and_says_so() -> None:
    given = ["my.yaml", "--source=https://h.org/a.tar?X-Amz-Signature=s3cr3t", "--home", "/data"]
    command, sentence = command_again("index", given, "/data").splitlines()
    assert command == "python -m ray_jobs.index my.yaml '--source=https://h.org/a.tar?***' --home /data"
    assert sentence == "The login or signature has to be put in again where *** stands."
    assert "put in again" not in command_again("index", ["my.yaml"], "/data")


def test_subset_and_split_are_those_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("collection: c\nsource: org/name\nconfig: a\nencoders:\n  - name: weights:cifar10-cnn\n")
    config = resolve_config(parse_arguments([str(path), "--subset", "b", "--split", "test"]))
    assert (config.config, config.split) == ("b", "test")
    assert resolve_config(parse_arguments([str(path)])).config == "a"

"""What commands say of a bad command line."""

import pytest

import demo
from pipeline.__main__ import main
from ray_jobs.session import job_parser

SIGNED = "https://anna:pass@host/a.tar?X-Amz-Signature=5ec4e7"


@pytest.mark.parametrize(
    "command",
    [
        lambda given: job_parser("index", None).parse_args(given),
        main,  # of its own, and of a subcommand
        lambda given: main(["search", "--collection", "cifar10", *given]),
        demo.main,
    ],
    ids=["job", "library", "subcommand", "page"],
)
def test_errors_repeat_no_login_and_no_signature(command, capsys):
    with pytest.raises(SystemExit) as ended:
        command([f"--sorce={SIGNED}", SIGNED])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "https://***@host/a.tar?***" in said
    assert "anna:pass" not in said and "5ec4e7" not in said


def test_errors_move_no_cursor(capsys):
    with pytest.raises(SystemExit):
        job_parser("index", None).parse_args(["\x1b[2J"])
    assert "\x1b" not in capsys.readouterr().err

"""What strangers send cannot forge a line of a log, nor steer a terminal."""

import io
import json
import logging
import signal

import pytest

from pipeline.errors import SimileError
from pipeline.indexing.decode_and_embed import rejected_group
from pipeline.printable import (
    PrintableFormatter,
    PrintableStream,
    printable,
    printable_lines,
    without_secrets,
)
from pipeline.progress import say
from ray_jobs.session import print_result, report_errors

ODD = [
    "\x00",
    "\x07",
    "\x1b",
    "\r",
    "\n",
    "\t",
    "\x7f",
    "\x85",
    "\x9b",
    "\u2028",
    "\u2029",
    "\u202e",
    "\u2066",
]
ODD += ["\u200f", "\ufeff", "\ud800"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_each_is_escaped(odd):
    shown = printable(f"a{odd}b")
    assert shown == f"a{odd!r}b".replace("'", "") and shown.isprintable()


def test_what_people_write_stays():
    text = "Édouard Manet „Ω“ 猫 👩‍🎨 − C:\\new\\tab"
    assert printable(text) == printable_lines(text) == text


def test_long_values_are_cut():
    assert printable("x" * 201, 200) == "x" * 200 + "…"
    assert printable("x" * 200, 200) == "x" * 200


def logged(message: str, *args: object, error: Exception | None = None) -> str:
    file = io.StringIO()
    handler = logging.StreamHandler(file)
    handler.setFormatter(PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    log = logging.Logger("simile")
    log.addHandler(handler)
    try:
        if error:
            raise error
        log.warning(message, *args)
    except ValueError:
        log.exception(message, *args)
    return file.getvalue()


def test_a_record_is_a_line_whatever_its_values_hold():
    said = logged("cannot open %s: %s", "a\nERROR simile: b\x1b[2J", "x" * 500)
    assert said == "WARNING simile: cannot open a\\nERROR simile: b\\x1b[2J: " + "x" * 200 + "…\n"
    assert logged("%d of %.1f", 3, 0.25) == "WARNING simile: 3 of 0.2\n"
    assert logged("100 %") == "WARNING simile: 100 %\n"


def test_a_traceback_is_indented_and_escaped():
    said = logged("it failed", error=ValueError("one\nERROR simile: forged\x1b[31m"))
    first, *others = said.rstrip("\n").split("\n")
    assert first == "ERROR simile: it failed"
    assert others and all(line.startswith("    ") for line in others)
    assert "ERROR simile: forged\\x1b[31m" in others[-1]


def test_terminals_of_jobs_and_of_the_page(capsys):
    say("rejected a\x1b[2Jb\nnext")
    with pytest.raises(SystemExit), report_errors():
        raise SimileError("no \x9b31m\u202e")
    print_result({"reason": "a\x7f\x1bé"})
    said = capsys.readouterr()
    assert said.err == "rejected a\\x1b[2Jb\nnext\nerror: no \\x9b31m\\u202e\n"
    assert said.out.rstrip("\n").isprintable() and json.loads(said.out) == {"reason": "a\x7f\x1bé"}
    stream = io.StringIO()
    print("Traceback\n\x1b[31m", file=PrintableStream(stream), flush=True)
    assert stream.getvalue() == "Traceback\n\\x1b[31m\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://h.org/a.tar?X-Amz-Signature=s3cr3t", "https://h.org/a.tar?***"),
        ("az://box/a?sv=2024&sig=s3cr3t%3D", "az://box/a?***"),
        ("'h.org/a.tar?sig=s3cr3t' is no folder", "'h.org/a.tar?***' is no folder"),
        ("see (https://h.org/a?s3cr3t).", "see (https://h.org/a?***)."),
        ("https://h.org/a#access_token=s3cr3t, gone", "https://h.org/a#***, gone"),
        ("http://anna:s3cr3t@h:1,http://anna:s3cr3t@i:2/", "http://***@h:1,http://***@i:2/"),
        ("s3://AKIA:s3/cr@3t@bucket/a", "s3://***@bucket/a"),
        ("http://h:6333/a@b", "http://h:6333/a@b"),
        ("hf://datasets/org/name@v1/a.tar", "hf://datasets/org/name@v1/a.tar"),
        ("timm:resnet50@224px? Why not: /pictures/a?.jpg", "timm:resnet50@224px? Why not: /pictures/a?.jpg"),
    ],
)
def test_addresses_lose_logins_and_signatures_wherever_they_are_printed(text, shown, capsys):
    assert without_secrets(text) == shown
    say(f"looking at {text}")
    with pytest.raises(SystemExit), report_errors():
        raise SimileError(text)
    with pytest.raises(SystemExit), report_errors() as stopping:
        stopping.go_on = text
        signal.raise_signal(signal.SIGTERM)
    assert capsys.readouterr().err.count("s3cr3t") == 0
    assert shown in logged("cannot read %s", text)
    assert rejected_group(["e"], ("id", 1, b"GIF"), text, "no").broken[0].reason == shown


def test_reasons_of_rejects():
    group = rejected_group(["e"], ("id", 1, b"GIF"), "no\x1b[2J\n" + "x" * 900, "no")
    assert group.broken[0].reason.startswith("no\\x1b[2J\\nxxx") and len(group.broken[0].reason) < 520

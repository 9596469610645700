"""`python -m pipeline doctor`: what is installed and where things are."""

import argparse
import json

__all__ = ["HELP", "NAME", "add_arguments", "run"]

NAME = "doctor"
HELP = "say what is installed and where things are, for a bug report; no secret is shown"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(options: argparse.Namespace) -> str:
    """The report."""
    from pipeline.doctor import examine, report_text

    report = examine(options.home, options.url)
    return json.dumps(report) if options.json else report_text(report)

"""Commands of the library itself: python -m pipeline doctor | versions COLLECTION [--json]"""

import argparse
import json
import sys

from pipeline.errors import SimileError
from pipeline.version import simile_version

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command that is named."""
    parser = argparse.ArgumentParser(prog="python -m pipeline", description="Commands of Simile's library.")
    parser.add_argument("--version", action="version", version=f"Simile {simile_version()}")
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser(
        "doctor",
        help="say what is installed and where things are, for a bug report",
        description="Says what is installed and where things are, for a bug report. No secret is shown.",
    )
    versions = commands.add_parser(
        "versions",
        help="list the versions of a collection",
        description="Lists the versions of a collection, the newest first, and where --rollback goes.",
    )
    versions.add_argument("collection")
    for command in (doctor, versions):
        command.add_argument(
            "--home", help="folder of the collections (default: $SIMILE_HOME or the user's data)"
        )
        command.add_argument(
            "--url",
            help="address of a Qdrant server; several with commas (default: $QDRANT_URL, else the home)",
        )
        command.add_argument("--json", action="store_true", help="JSON instead of a text")
    options = parser.parse_args(arguments)
    try:
        print(_report(options) if options.command == "doctor" else _versions(options))
    except SimileError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def _report(options: argparse.Namespace) -> str:
    from pipeline.doctor import examine, report_text

    report = examine(options.home, options.url)
    return json.dumps(report) if options.json else report_text(report)


def _versions(options: argparse.Namespace) -> str:
    from dataclasses import asdict

    from pipeline.indexing.history import list_versions, table_of
    from pipeline.store import open_store

    lines = list_versions(open_store(options.home, options.url), options.collection)
    return json.dumps([asdict(line) for line in lines]) if options.json else table_of(lines)


if __name__ == "__main__":
    main()

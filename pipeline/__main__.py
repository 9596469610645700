"""Commands of the library: search, collections, show, versions, tag, hide, reports and doctor."""

import argparse
import sys

from pipeline.command_line import Parser
from pipeline.commands import collections, doctor, hide, reports, search, show, tag, versions
from pipeline.errors import SimileError
from pipeline.printable import printable, without_secrets
from pipeline.version import simile_version

__all__ = ["main"]

_COMMANDS = {
    command.NAME: command for command in (search, collections, show, versions, tag, hide, reports, doctor)
}


def main(arguments: list[str] | None = None) -> None:
    """Runs the command that is named."""
    parser = Parser(prog="python -m pipeline", description="Commands of Simile's library.")
    parser.add_argument("--version", action="version", version=f"Simile {simile_version()}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in _COMMANDS.items():
        one = commands.add_parser(name, help=command.HELP, description=command.__doc__)
        command.add_arguments(one)
        _add_common(one)
    options = parser.parse_args(arguments)
    try:
        if options.ca:
            from pipeline.store.authority import trust

            trust(options.ca)
        print(_COMMANDS[options.command].run(options))
    except SimileError as error:
        print(f"error: {printable(without_secrets(str(error)))}", file=sys.stderr)
        raise SystemExit(1) from None


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--home", help="folder of the collections (default: $SIMILE_HOME or the user's data)")
    parser.add_argument(
        "--url",
        help="address of a Qdrant server; several with commas (default: $QDRANT_URL, else the home)",
    )
    parser.add_argument(
        "--ca",
        metavar="FILE",
        help="PEM file of the authority that a Qdrant server's certificate is signed by",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


if __name__ == "__main__":
    main()

"""Commands of the library itself: python -m pipeline doctor [--json]"""

import argparse
import json

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
    doctor.add_argument("--home", help="folder of the collections (default: $SIMILE_HOME or the user's data)")
    doctor.add_argument(
        "--url",
        help="address of a Qdrant server; several with commas (default: $QDRANT_URL, else the home)",
    )
    doctor.add_argument("--json", action="store_true", help="one JSON object instead of a text")
    options = parser.parse_args(arguments)

    from pipeline.doctor import examine, report_text

    report = examine(options.home, options.url)
    print(json.dumps(report) if options.json else report_text(report))


if __name__ == "__main__":
    main()

"""The parser of Simile's commands: what it says of a bad command line shows no login and no signature."""

import argparse
from typing import NoReturn

from pipeline.printable import printable_lines

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """argparse's, whose errors repeat what was given: jobs keep their stderr, and others may read it.

    Its subcommands have such a parser, too.
    """

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message on stderr, and exit with status 2."""
        super().error(printable_lines(message))

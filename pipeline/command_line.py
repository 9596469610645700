"""The parser of Simile's commands: what it says of a bad command line shows no login and no signature."""

import argparse
from typing import NoReturn

from pipeline.printable import printable_lines

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """argparse's parser, for commands and their subcommands. Its errors repeat what was given, which may hold
    a secret, and the stderr of a job is kept where others may read it.
    """

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message on stderr, and exit with status 2."""
        super().error(printable_lines(message))

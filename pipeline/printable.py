"""Text of strangers on terminals and in logs: it cannot start a line, move the cursor or turn other text.

Control characters (C0, DEL, C1, and so every ANSI sequence), the separators of lines and paragraphs, marks
that change the direction of text, and halves of surrogate pairs are written as Python writes them, `\\x1b`.
"""

import io
import logging
import re
from typing import Any, TextIO

__all__ = [
    "PrintableFormatter",
    "PrintableStream",
    "hide",
    "printable",
    "printable_lines",
    "protect_logs",
    "without_secrets",
]

MOST = 200  # characters of a single value in a message
_MOST_OF_AN_ERROR = 1_000  # of an exception's own sentence, which may hold several values
_ODD = "\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_UNPRINTABLE = re.compile(f"[{_ODD}]")
_UNPRINTABLE_IN_LINES = re.compile(f"(?![\n\t])[{_ODD}]")
# user:password@ of an address. Where a slash stands in the password, it ends with the last @ of the word.
_LOGIN = re.compile(r"(?<=://)([^\s/]*@|[^\s/:\[]+:(?!\d+([/?#,]|\b))\S*@)")
# What follows the path of an address, up to the sign that ends its sentence or quotation.
_QUERY = re.compile(r"(://[^\s?#]*[?#]|\?(?=[\w.%-]+=))\S*[^\s'\"<>.,;:)\]]")

_HIDDEN: set[str] = set()


def hide(secret: str) -> None:
    """Show three asterisks for this text in all that is made printable from now on."""
    _HIDDEN.add(secret)


def without_secrets(text: str) -> str:
    """A text whose addresses show three asterisks for logins and queries, which may be signatures.

    >>> without_secrets("'https://anna:pass@host/a.tar?X-Amz-Signature=1' is gone.")
    "'https://***@host/a.tar?***' is gone."
    >>> without_secrets("hf://datasets/org/name@main and http://host:6333/a@b stay")
    'hf://datasets/org/name@main and http://host:6333/a@b stay'
    """
    return _QUERY.sub(r"\1***", _LOGIN.sub("***@", text))


def printable(value: object, most: int | None = None) -> str:
    """`str(value)` on one line, with control characters escaped.

    Args:
        most: characters; longer text is cut there, and an ellipsis says so.

    >>> printable("a\\x1b[31mb\\n", 20), printable("abcdef", 3)
    ('a\\\\x1b[31mb\\\\n', 'abc…')
    """
    text = _without_hidden(str(value))
    if most is not None and len(text) > most:
        text = text[:most] + "…"
    return _UNPRINTABLE.sub(_escaped, text)


def printable_lines(text: str) -> str:
    """The same for a message of several lines, which stay lines; tabs stay, too. Addresses lose secrets."""
    return _UNPRINTABLE_IN_LINES.sub(_escaped, without_secrets(_without_hidden(text)))


def _without_hidden(text: str) -> str:
    for secret in _HIDDEN:
        text = text.replace(secret, "***")
    return text


def _escaped(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]


class PrintableFormatter(logging.Formatter):
    """One line a record, with values of at most `MOST` characters; a traceback follows indented.

    So no value can pretend to be another record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        shown = logging.makeLogRecord(record.__dict__)
        shown.msg, shown.args = printable(without_secrets(_message(record))), None
        shown.exc_info = shown.exc_text = shown.stack_info = None
        lines = [super().format(shown)]
        if record.exc_info:
            lines += printable_lines(self.formatException(record.exc_info)).split("\n")
        return "\n    ".join(lines)


def _message(record: logging.LogRecord) -> str:
    """The message, with each of its values cut."""
    if not record.args:
        return str(record.msg)
    args: Any = record.args
    if isinstance(args, dict):
        return str(record.msg) % {name: _cut(value) for name, value in args.items()}
    return str(record.msg) % tuple(_cut(value) for value in args)


def _cut(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    return printable(value, _MOST_OF_AN_ERROR if isinstance(value, BaseException) else MOST)


class PrintableStream(io.TextIOBase):
    """A terminal or file for programs that print what strangers sent, such as tracebacks of libraries."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has it as an attribute
        """Of the stream below."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Writes the text with control characters escaped."""
        self._stream.write(printable_lines(text))
        return len(text)

    def flush(self) -> None:
        """Flushes the stream below."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Whether the stream below is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Of the stream below."""
        return self._stream.fileno()


def protect_logs(level: int | None = None) -> None:
    """Gives every handler that writes to a stream or file the `PrintableFormatter`.

    Args:
        level: also log records of this level and above to stderr.
    """
    if level is not None:
        logging.basicConfig(level=level)
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        if type(handler) in (logging.StreamHandler, logging.FileHandler):  # others have a form of their own
            handler.setFormatter(PrintableFormatter("%(levelname)s %(name)s: %(message)s"))

"""README.md and docs/ as data: code blocks, tables, links and headings."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md"))]
ALL = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "samples/**/*.md", "weights/**/*.md")
    for page in ROOT.glob(pattern)
)
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
_PROGRAM = re.compile(r"\bpython\b")


@dataclass(frozen=True)
class Block:
    """A fenced block; `not_run` is the reason in the comment above it, empty where it can run."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass(frozen=True)
class Table:
    """A table: titles and cells as text, with their Markdown."""

    head: list[str]
    rows: list[list[str]]


@cache
def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def blocks(page: Path, language: str) -> list[Block]:
    """The fenced blocks of a language, in order."""
    found, tokens = [], _tokens(page)
    for at, token in enumerate(tokens):
        if token.type == "fence" and token.info == language:
            above = tokens[at - 1]
            said = _NOT_RUN.search(above.content) if above.type == "html_block" else None
            line = (token.map or [0])[0] + 1
            found.append(Block(page, line, language, token.content, said[1] if said else ""))
    return found


def tables(page: Path) -> list[Table]:
    """All tables of a page."""
    found: list[Table] = []
    row: list[str] = []
    for at, token in enumerate(_tokens(page)):
        if token.type == "table_open":
            found.append(Table([], []))
        elif token.type in ("th_open", "td_open"):
            row.append(_tokens(page)[at + 1].content)
        elif token.type == "tr_close":
            if found[-1].head:
                found[-1].rows.append(row)
            else:
                found[-1].head.extend(row)
            row = []
    return found


def links(page: Path) -> Iterator[str]:
    """Addresses of links and images."""
    for token in _tokens(page):
        for child in token.children or ():
            address = child.attrGet("href" if child.type == "link_open" else "src")
            if address and child.type in ("link_open", "image"):
                yield str(address)


def anchors(page: Path) -> set[str]:
    """Names that GitHub gives to the headings of a page."""
    tokens = _tokens(page)
    titles = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def inline_code(page: Path) -> Iterator[str]:
    """Every `code` in running text and tables."""
    for token in _tokens(page):
        yield from (child.content for child in token.children or () if child.type == "code_inline")


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """(module, arguments) of every `python -m …` and `python demo.py` in shell blocks and inline code."""
    texts = [block.text.replace("\\\n", " ") for block in blocks(page, "bash")]
    lines = [line for text in texts for line in text.splitlines()] + list(inline_code(page))
    for line in lines:
        if _PROGRAM.search(line):
            yield from _programs(shlex.split(line.replace("\n", " "), comments=True))


def _programs(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    starts = [at for at, word in enumerate(words) if word == "python" and at + 1 < len(words)]
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        rest = words[start + 1 : end]
        if rest[0] == "-m" and len(rest) > 1:
            yield rest[1], rest[2:]
        elif rest[0].endswith(".py"):
            yield rest[0].removesuffix(".py").replace("/", "."), rest[1:]

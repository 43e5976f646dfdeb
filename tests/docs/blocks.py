"""The code blocks of the pages, the commands in them, and the commands that sentences name."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers import ROOT

_FENCE = re.compile(r"^( *)```(\w*)\s*$")
_INDENTED = re.compile(r"^( *)\S")
_ITEM = re.compile(r"^( *)(?:\d+\.|[-*]) +")
_INLINE = re.compile(r"(?<!`)`((?:\.venv/bin/)?pedigree [a-z][^`\n]*)`(?!`)")
_EXPRESSION = re.compile(r"``(.+?)``(?!`)")
# With these words a file of a store begins.
_FORMAT = "pedigree original 1"
#: The languages that a block may name: the first three are executed or read, the others show something.
LANGUAGES = frozenset({"bash", "yaml", "python", "text", "csv", "json"})


@dataclass(frozen=True, slots=True)
class Block:
    """A code block: its page, the line of its first word, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """Name the place, for a report."""
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Name the README and every page under docs/, in the order in which people read them."""
    paths = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    first = ["README.md", "docs/tutorials/first-hour.md"]
    return [*first, *(path for path in paths if path not in first)]


def read(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def fenced(page: str) -> Iterator[Block]:
    """Find the fenced blocks of a page."""
    start, language, indent, lines = 0, "", 0, list[str]()
    for number, line in enumerate(read(page).splitlines(), 1):
        fence = _FENCE.match(line)
        if fence and not start:
            start, language, indent, lines = number + 1, fence[2], len(fence[1]), []
        elif fence:
            yield Block(page, start, language, "\n".join(lines))
            start = 0
        elif start:
            lines.append(line[indent:])


def indented(page: str) -> Iterator[Block]:
    """Find code that is only indented: it names no language, so nobody knows what it is."""
    is_code, depth, former = False, 0, ""
    for number, line in enumerate(read(page).splitlines(), 1):
        if _FENCE.match(line):
            is_code = not is_code
        elif not is_code and (start := _INDENTED.match(line)):
            if (not former.strip() or former.startswith("#")) and len(start[1]) >= depth + 4 and not _ITEM.match(line):
                yield Block(page, number, "", line)
            item = _ITEM.match(line)
            depth = item.end() if item else depth if start[1] else 0
        former = line


def commands(block: Block) -> Iterator[str]:
    """Take a block of shell apart: a command ends with its line, unless a quote or a backslash goes on."""
    command = ""
    for line in block.text.splitlines():
        command = f"{command}\n{line}" if command else line
        if command.endswith("\\") or not _is_closed(command):
            continue
        if shlex.split(command, comments=True):
            yield command
        command = ""
    assert not command, f"{block}: a quote is not closed"


def _is_closed(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


def inline_commands(page: str) -> list[str]:
    """Find the commands of Pedigree that sentences name."""
    return [text for text in _INLINE.findall(_without_blocks(page)) if text != _FORMAT]


def search_expressions(page: str) -> list[str]:
    """Find the search expressions of MLflow that stand in tables and sentences."""
    return [text for text in _EXPRESSION.findall(_without_blocks(page)) if re.search(r"(tags|params|metrics)\.`", text)]


def _without_blocks(page: str) -> str:
    lines, is_code = list[str](), False
    for line in read(page).splitlines():
        if _FENCE.match(line):
            is_code = not is_code
        elif not is_code:
            lines.append(line)
    return "\n".join(lines)


def is_a_test(name: str) -> bool:
    """Tell whether a test ``path::function`` exists."""
    path, _, function = name.partition("::")
    return Path(ROOT, path).is_file() and f"def {function}(" in Path(ROOT, path).read_text(encoding="utf-8")

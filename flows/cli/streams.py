"""Standard output and error that any encoding, and a reader that goes away, leave standing."""

import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments

from configs.errors import PedigreeError
from configs.visible_text import visible_lines


def ready() -> None:
    """Let every character be printed, and every line of progress be lost without a word where nobody reads it.

    A stream that is closed becomes one that swallows all: the next file that is opened would take its number.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or _opened(io.FileIO(1, "w", closefd=False), "utf-8")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr = _opened(_Patient(2, "w", closefd=False), sys.stderr.encoding if sys.stderr else "utf-8")


def rendered(screen: RenderableType) -> str:
    """Draw a screen for the terminal, or whatever standard output is; a sentence is one line, however long."""
    terminal, paper = Console(), io.StringIO()
    # Brackets and colons are themselves, since a class may be named with them.
    console = Console(file=paper, force_terminal=terminal.is_terminal, width=terminal.width, markup=False, emoji=False)
    if isinstance(screen, str):
        console.print(visible_lines(screen), soft_wrap=True)
    else:
        console.print(Segments([_visible(segment) for segment in console.render(screen)]), crop=False)
    return paper.getvalue()


def _visible(segment: Segment) -> Segment:
    return segment if segment.control else Segment(visible_lines(segment.text), segment.style)


def can_show(text: str) -> bool:
    """Tell whether standard output has all of these characters."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def write(text: str) -> bool:
    """Write to standard output; return False where nobody reads it any more, which is no failure.

    Raises:
        PedigreeError: It cannot be written, as on a full disk.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return False
    except OSError as error:
        _silence()
        raise PedigreeError(f"The answer cannot be written ({error.strerror}); what it tells of was done.") from None
    return True


class _Patient(io.FileIO):
    """A stream whose reader may go away."""

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def _opened(raw: io.FileIO, encoding: str) -> TextIO:
    buffer = io.BufferedWriter(raw)
    return io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=True, write_through=True)


def _silence() -> None:
    """Throw away what is left: Python would complain of it at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)

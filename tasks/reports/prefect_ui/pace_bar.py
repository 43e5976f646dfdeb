"""A bar at a terminal that shows how far work has come, how fast it goes, and what its threads spend their time on."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from tasks.domain.pace import describe_pace

# Columns that the bar itself takes: the words beside it say more.
_WIDTH = 20


class _PaceColumn(ProgressColumn):
    """The words beside the bar: in a narrow terminal their end is cut off, and the bar stays."""

    def render(self, task: Task) -> Text:
        """Render them in one line."""
        return Text(task.fields["pace"], no_wrap=True, overflow="ellipsis")


class PaceBar:
    """One line at a terminal; elsewhere nothing is shown, but the pace is known all the same."""

    def __init__(self, title: str, total: int, noun: str, bar: Progress) -> None:
        """Show the beginning.

        Args:
            title: The name of the work.
            total: The number of items.
            noun: What the items are, such as images.
            bar: The terminal's bar.
        """
        self.title, self.total, self.done = title, total, 0
        self._noun, self._bar, self._seconds, self._started = noun, bar, dict[str, float](), monotonic()
        self._line = bar.add_task(title, total=total, pace=self.pace())

    def __call__(self, more: int, seconds: Mapping[str, float] | None = None, /) -> None:
        """Show that more items are done.

        Args:
            more: How many more.
            seconds: How many more seconds threads have spent on each stage.
        """
        self.done += more
        for name, spent in (seconds or {}).items():
            self._seconds[name] = self._seconds.get(name, 0.0) + spent
        if not self._bar.disable:
            self._bar.update(self._line, completed=self.done, pace=self.pace())

    def pace(self) -> str:
        """Return in one line how far the work has come."""
        total = f"{self.total:,} {self._noun}".rstrip()
        return describe_pace(self.done, self.total, total, monotonic() - self._started, self._seconds)


@contextmanager
def show_pace(title: str, total: int, noun: str = "images") -> Iterator[PaceBar]:
    """Show the pace of long work on standard error, at a terminal only.

    Args:
        title: The name of the work.
        total: The number of items.
        noun: What the items are; empty where their number says enough.

    Yields:
        A function that takes how many more items are done, and what they took.
    """
    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(bar_width=_WIDTH, table_column=Column(no_wrap=True)),
        _PaceColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        yield PaceBar(title, total, noun, bar)

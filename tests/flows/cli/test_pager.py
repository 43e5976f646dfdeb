"""The pager: long answers at a terminal, and nowhere else."""

import os
import pty
import subprocess
import sys

import pytest

PROGRAM = "from flows.cli.pager import page; text = 'line\\n' * {lines}; page(text) or print(text, end='')"


def at_a_terminal(lines: int, **environment: str) -> str:
    """Show so many lines at a terminal of ten lines, and return what appears there."""
    master, slave = pty.openpty()
    command = [sys.executable, "-c", PROGRAM.format(lines=lines)]
    variables = {**os.environ, "LINES": "10", "COLUMNS": "80", "TERM": "xterm", **environment}
    subprocess.run(command, stdin=slave, stdout=slave, env=variables, check=True)  # noqa: S603 - our own code
    os.close(slave)
    shown = b""
    while True:
        try:
            shown += os.read(master, 65536)
        except OSError:
            os.close(master)
            return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("lines", "environment", "paged"),
    [
        (50, {"PAGER": "sed s/line/paged/"}, True),
        (5, {"PAGER": "sed s/line/paged/"}, False),
        (50, {"PAGER": "sed s/line/paged/", "TERM": "dumb"}, False),
        (50, {"PAGER": "cat"}, False),
        (50, {"PAGER": ""}, False),
        (50, {"PAGER": "no-such-pager"}, False),
    ],
)
def test_what_is_longer_than_the_screen_is_paged(lines: int, environment: dict[str, str], *, paged: bool) -> None:
    """A long text goes through the pager; a short one is written, and so is all where no pager is wanted or there."""
    assert at_a_terminal(lines, **environment) == ("paged\n" if paged else "line\n") * lines


def test_whoever_pipes_gets_no_pager() -> None:
    """Without a terminal every line is written as it is."""
    command = [sys.executable, "-c", PROGRAM.format(lines=50)]
    variables = {**os.environ, "PAGER": "sed s/line/paged/"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert done.stdout == "line\n" * 50

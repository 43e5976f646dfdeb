"""The bar at a terminal."""

import io
import sys

import pytest
from rich.text import Text

from tasks.reports.prefect_ui.pace_bar import show_pace


class Terminal(io.StringIO):
    """What a terminal is sent."""

    def isatty(self) -> bool:
        """Tell that it is one."""
        return True


def test_a_narrow_terminal_keeps_title_and_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 80 columns the end of the words is cut off, and each step still has one line."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with show_pace("write_data_card", 300) as advance:
        advance(300, {"network": 9.0, "decoder": 1.0, "bucket": 1.0})
    lines = [line for line in Text.from_ansi(terminal.getvalue()).plain.splitlines() if "300 of 300" in line]
    assert lines
    for line in lines:
        assert "write_data_card" in line
        assert "━" * 20 in line
        assert line.rstrip().endswith("…")

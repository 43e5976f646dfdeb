"""Names of runs in Prefect's list: how each ended is seen without opening it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.domain.runs.results import ImageCounts, Outcome
from tasks.reports.prefect_ui.runs_list import build_name, describe_end


@pytest.mark.parametrize(
    ("status", "version", "new", "line"),
    [
        ("promoted", "12", 131, "✓ nightly 2026-11-29 04:00 UTC · version 12 · 131 new images"),
        ("rejected", "13", 1, "✗ nightly 2026-11-29 04:00 UTC · version 13 · 1 new image"),
        ("needs-approval", "14", 0, "? nightly 2026-11-29 04:00 UTC · version 14"),
        ("unchanged", None, 0, "= nightly 2026-11-29 04:00 UTC"),
        ("waiting", None, 2, "… nightly 2026-11-29 04:00 UTC · 2 new images"),
    ],
)
def test_a_line_of_the_list_says_how_a_run_ended(status: Any, version: str | None, new: int, line: str) -> None:  # noqa: ANN401
    """A sign for each kind of end, what started the run and when, the model's version, and what was new."""
    outcome = Outcome(status, "", "d", None, ImageCounts(200, new, 0, 0), version, None, {}, (), {}, {})
    assert describe_end(build_name("nightly", datetime(2026, 11, 29, 4, tzinfo=UTC)), outcome) == line

"""Leases of work that only one of several runs should do."""

import json
import os
import platform
from pathlib import Path

import psutil
import pytest

from tasks.stores.store import Store
from tests.tasks.modeling.processes import run_alone

HOUR_AGO = "2026-11-01T00:00:00+00:00"


def _files(folder: Path) -> list[str]:
    return [path.name for path in sorted((folder / "claims").iterdir())]


def test_a_lease_is_there_while_the_work_is_done(tmp_path: Path) -> None:
    """Whoever holds a lease shows it in the store, and takes it away at the end, also when the work fails."""

    def fail() -> None:
        assert _files(tmp_path) == ["work.json"]
        raise ValueError("woof")

    with pytest.raises(ValueError, match="woof"), Store(str(tmp_path)).leases.hold("work"):
        fail()
    assert _files(tmp_path) == []


def test_a_lease_of_the_dead_holds_nobody_up(tmp_path: Path) -> None:
    """A process that died with its lease in the store is not waited for."""
    run_alone(
        "import os, sys; from tasks.stores.store import Store\n"
        f"with Store({str(tmp_path)!r}).leases.hold('work'): print(1, flush=True); os._exit(0)"
    )
    assert _files(tmp_path) == ["work.json"]
    with Store(str(tmp_path)).leases.hold("work"):
        assert json.loads((tmp_path / "claims" / "work.json").read_text())["process"] == os.getpid()


@pytest.mark.parametrize(
    "held",
    [
        {"machine": "elsewhere", "process": 1, "started": 0.0, "time": HOUR_AGO},
        {"machine": platform.node(), "process": os.getpid(), "started": 0.0, "time": HOUR_AGO},
    ],
    ids=["another machine's, long ago", "a process whose number was given again"],
)
def test_a_lease_that_cannot_be_lived_up_to_is_void(tmp_path: Path, held: dict[str, object]) -> None:
    """An old lease of another machine, and one of a process whose number another one has now, are taken over."""
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "work.json").write_text(json.dumps(held))
    with Store(str(tmp_path)).leases.hold("work"):
        lease = json.loads((tmp_path / "claims" / "work.json").read_text())
    assert lease["started"] == psutil.Process().create_time()


def test_what_was_taken_over_is_left_alone(tmp_path: Path) -> None:
    """A run whose lease was void and is another's by now does not take that one away."""
    with Store(str(tmp_path)).leases.hold("work"):
        (tmp_path / "claims" / "work.json").write_text("another's")
    assert (tmp_path / "claims" / "work.json").read_text() == "another's"

"""Leases of work that only one of several runs should do."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from threading import Event

import psutil
import pytest

from tasks.stores.files import leases
from tasks.stores.store import Store
from tests.tasks.modeling.processes import run_alone

HOUR_AGO = "2026-11-01T00:00:00+00:00"


ELSEWHERE = {"machine": "elsewhere", "process": 1, "started": 0.0, "time": HOUR_AGO}
# Holds a lease until its input ends, and prints once it does and, at the end, whether it still did.
HOLDER = """
import sys
from tasks.stores.files import leases
from tasks.stores.store import Store
with Store(sys.argv[1]).leases.hold("work") as lease:
    print("holds", flush=True)
    sys.stdin.read()
    print(lease.is_held(), flush=True)
"""


def _write_claim(folder: Path, held: object, minutes: int) -> None:
    """Write a claim that is this old by the folder's own clock."""
    (folder / "claims").mkdir(exist_ok=True)
    path = folder / "claims" / "work.json"
    path.write_text(json.dumps(held))
    _make_older(path, minutes)


def _make_older(path: Path, minutes: int) -> None:
    written = path.stat().st_mtime - minutes * 60
    os.utime(path, (written, written))


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
    _write_claim(tmp_path, held, minutes=6)
    with Store(str(tmp_path)).leases.hold("work"):
        lease = json.loads((tmp_path / "claims" / "work.json").read_text())
    assert lease["started"] == psutil.Process().create_time()


def test_what_was_taken_over_is_left_alone(tmp_path: Path) -> None:
    """A run whose lease was void and is another's by now does not take that one away."""
    with Store(str(tmp_path)).leases.hold("work"):
        (tmp_path / "claims" / "work.json").write_text("another's")
    assert (tmp_path / "claims" / "work.json").read_text() == "another's"


def test_a_lease_elsewhere_is_valid_for_five_minutes_after_its_last_sign_of_life(tmp_path: Path) -> None:
    """What another machine claimed hours ago is its own while a sign is younger than five minutes, and then no more."""
    _write_claim(tmp_path, ELSEWHERE, minutes=600)
    content = (tmp_path / "claims" / "work.json").read_bytes()
    lease = leases.Lease(Store(str(tmp_path)).objects, "work", content)
    lease.renew()
    lease.renew()
    (sign,) = (tmp_path / "claims").glob("work.*.000002")
    with Store(str(tmp_path)).leases.hold_if_free("work") as held:
        assert held is None
    _make_older(sign, minutes=6)
    with Store(str(tmp_path)).leases.hold_if_free("work") as held:
        assert held is not None
        assert held.is_held()
        assert not lease.is_held()
        assert _files(tmp_path) == ["work.json"]
    assert _files(tmp_path) == []


def test_this_machines_clock_makes_no_lease_void(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose clock is a year ahead leaves a lease of another machine alone, since the store's clock counts."""
    Store(url).objects.create("claims/work.json", json.dumps(ELSEWHERE).encode())

    class Ahead(leases.datetime):  # type: ignore[misc, name-defined]
        @classmethod
        def now(cls, zone: object = None) -> object:
            return super().now(zone).replace(year=2099)

    monkeypatch.setattr(leases, "datetime", Ahead)
    with Store(url).leases.hold_if_free("work") as held:
        assert held is None


def test_of_many_that_find_a_lease_void_one_holds_it(tmp_path: Path) -> None:
    """Six processes that wait for the same dead machine hold the lease one after the other, and none loses it."""
    _write_claim(tmp_path, ELSEWHERE, minutes=6)
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    holders = [
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)  # noqa: S603
        for _ in range(6)
    ]
    assert [holder.communicate()[0].split() for holder in holders] == [["holds", "True"]] * 6
    assert _files(tmp_path) == []


def test_a_taker_that_died_holds_nobody_up_for_long(tmp_path: Path) -> None:
    """What a run leaves that dies while it takes over a void lease is swept by the next one after a minute."""
    _write_claim(tmp_path, ELSEWHERE, minutes=6)
    content = (tmp_path / "claims" / "work.json").read_bytes()
    ticket = tmp_path / leases._signs("work", content)[:-1]
    ticket = ticket.with_name(ticket.name + ".void")
    ticket.write_bytes(b"")
    for waits in (True, True, False):
        with Store(str(tmp_path)).leases.hold_if_free("work") as held:
            assert (held is None) == waits
        if ticket.exists():
            _make_older(ticket, minutes=6)


def test_a_lease_is_renewed_while_its_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that runs for long leaves signs of life, of which the last one stays and none outlives the block."""
    renewed = Event()
    renew = leases.Lease.renew

    def told(lease: leases.Lease) -> None:
        renew(lease)
        renewed.set()

    monkeypatch.setattr(leases, "_RENEWED", 0.01)
    monkeypatch.setattr(leases.Lease, "renew", told)
    with Store(str(tmp_path)).leases.hold("work"):
        assert renewed.wait(20)
    assert _files(tmp_path) == []

"""A pool that stays open: processes are replaced, time is the asker's, and what died leaves nothing behind."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tasks.decoding import process_pool
from tasks.decoding.process import Program
from tasks.decoding.process_pool import ProcessDiedError, ProcessPool

PROGRAM = Program("tests.tasks.decoding.test_process_pool:obey", (), memory=2**29)


def obey() -> Callable[[list[bytes]], bytes]:
    """Build a function that dies, never answers, or tells the number of its process."""

    def answer(parts: list[bytes]) -> bytes:
        if parts == [b"die"]:
            os._exit(1)
        while parts == [b"hang"]:
            pass
        return str(os.getpid()).encode()

    return answer


def ask(pool: ProcessPool, deed: bytes, seconds: float = 60) -> int:
    """Have a process do something, and return its number."""
    return pool.ask([deed], lambda message, _read_memory: int(message), seconds, most=20)


def test_a_process_that_worked_long_enough_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file could have done to it ends with it; until then one process answers."""
    with ProcessPool(PROGRAM) as pool:
        first = ask(pool, b"")
        assert ask(pool, b"") == first
        monkeypatch.setattr(process_pool, "_LIFE", 0)
        assert ask(pool, b"") == first
        assert ask(pool, b"") != first


def print_open_files() -> None:
    """Print how many files this process holds open before and after others died or were killed in time."""
    with ProcessPool(PROGRAM) as pool:
        ask(pool, b"")
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(3):
            with suppress(ProcessDiedError):
                ask(pool, b"die")
            ask(pool, b"")
            with suppress(TimeoutError):
                ask(pool, b"hang", seconds=0.2)
        ask(pool, b"")
        after = len(list(Path("/proc/self/fd").iterdir()))
        sys.stdout.write(f"{before} {after}")


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
def test_processes_that_end_leave_no_open_file() -> None:
    """However many die or are killed in time, their asker keeps no connection and no memory of them."""
    # A process of its own, since servers' clients of other tests open and close files at any time in this one.
    code = f"from {__name__} import print_open_files; print_open_files()"
    before, after = subprocess.check_output([sys.executable, "-c", code], text=True).split()  # noqa: S603 - our own code
    assert before == after


def test_a_pool_that_is_closed_leaves_no_process() -> None:
    """Its processes end with it."""
    with ProcessPool(PROGRAM) as pool:
        alive = ask(pool, b"")
        assert pool.processes == [alive]
    assert not psutil.pid_exists(alive)


def test_nobody_may_ask_for_longer_than_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process's CPU time in its life is limited for questions of that length."""
    monkeypatch.setattr(process_pool, "LONGEST", 0.2)
    with ProcessPool(PROGRAM) as pool, pytest.raises(TimeoutError):
        ask(pool, b"hang", seconds=10**6)


def test_a_long_message_and_a_senseless_one_count_as_dead() -> None:
    """Neither fills this process's memory nor reaches whoever asked; the next process answers."""
    with ProcessPool(PROGRAM) as pool:
        with pytest.raises(ProcessDiedError):
            pool.ask([b""], lambda message, _read_memory: message, 60, most=0)
        with pytest.raises(ProcessDiedError):
            pool.ask([b""], lambda message, _read_memory: int(b"x" + message), 60, most=20)
        assert ask(pool, b"")

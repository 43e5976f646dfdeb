"""How many cores this process uses, and matrix products whose bits do not depend on it."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from configs.errors import SettingsError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import ThreadpoolController


def count_cores() -> int:
    """Return how many cores this process uses: those that it may use, or PEDIGREE_CORES where these are fewer."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wish = os.environ.get("PEDIGREE_CORES", "")
    if wish and not (wish.isascii() and wish.isdigit() and int(wish)):
        raise SettingsError("PEDIGREE_CORES is no number of cores: set it to 1 or more, or leave it out.")
    return min(allowed, int(wish)) if wish else allowed


class _Limit:
    """One thread for each matrix product of this process, for as long as anybody wishes it."""

    def __init__(self) -> None:
        # threadpoolctl lets that thread alone lift a limit which has set it, so one thread does both for all.
        self._keeper: ThreadPoolExecutor | None = None
        self._lock, self._limits, self._wishes = Lock(), ExitStack(), 0

    def raise_wish(self) -> None:
        """Set the limit for the first that wishes it."""
        with self._lock:
            if not self._wishes:
                self._run(self._set)
            self._wishes += 1

    def end_wish(self) -> None:
        """Lift the limit for the last that wished it."""
        with self._lock:
            self._wishes -= 1
            if not self._wishes:
                self._run(self._limits.close)

    def _run(self, change: Callable[[], None]) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._keeper = self._keeper or ThreadPoolExecutor(1)
        self._keeper.submit(change).result()

    def _set(self) -> None:
        self._limits.enter_context(_blas_libraries().limit(limits=1, user_api="blas"))


_LIMIT = _Limit()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Run each matrix product in one thread: how OpenBLAS divides the work among several decides the bits.

    Small ones cost less so, too: threads that wait for each other spin. The limit holds for the whole process, and as
    long as any thread needs it.
    """
    _LIMIT.raise_wish()
    try:
        yield
    finally:
        _LIMIT.end_wish()


@contextmanager
def single_threaded_numpy() -> Iterator[None]:
    """Run each matrix product of NumPy in one thread; SciPy, half a second of CPU, is not imported for it."""
    import numpy  # noqa: F401, ICN001 - what is to be limited must be there
    from threadpoolctl import ThreadpoolController

    with ThreadpoolController().limit(limits=1, user_api="blas"):
        yield


@cache
def _blas_libraries() -> "ThreadpoolController":
    """Find the libraries that multiply matrices; looking for them takes milliseconds, and a training asks 300 times."""
    # SciPy brings one of its own, which must be there when they are looked for.
    import scipy.optimize  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()

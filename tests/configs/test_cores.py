"""Tests of how many cores are used, and of matrix products whose bits do not depend on it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
from threadpoolctl import threadpool_info

from configs.cores import single_threaded_blas


def _blas_threads() -> set[int]:
    return {int(library["num_threads"]) for library in threadpool_info() if library["user_api"] == "blas"}


def test_the_limit_holds_until_the_last_thread_has_left_it() -> None:
    """Two threads share one number for the whole process: who leaves first must not lift the other's limit."""
    np.ones((2, 2)) @ np.ones((2, 2))
    with single_threaded_blas():
        pass
    before, entered, left = _blas_threads(), Event(), Event()

    def hold() -> set[int]:
        with single_threaded_blas():
            entered.set()
            left.wait(60)
            return _blas_threads()

    with ThreadPoolExecutor(1) as pool:
        with single_threaded_blas():
            held = pool.submit(hold)
            assert entered.wait(60)
        left.set()
        assert held.result() == {1}
    assert _blas_threads() == before

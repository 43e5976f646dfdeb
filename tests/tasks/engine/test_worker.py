"""What a worker tells of itself: whoever has another Python or other sources is named with both versions."""

import pytest

from tasks.engine.worker import Code, UnlikeWorkerError, check_code, running_code


def test_another_python_is_refused_by_name() -> None:
    """The sentence says who has which Python, and what to do; the code of the run itself passes."""
    ours = running_code()
    check_code("worker anna", ours, ours)
    expected = f"The Dask worker anna has Python 2.7.18, and the run has {ours.python}: install the same there"
    with pytest.raises(UnlikeWorkerError, match=expected):
        check_code("worker anna", Code("2.7.18", ours.pedigree), ours)

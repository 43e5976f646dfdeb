"""How many photographs are taken on is bounded, and nobody is kept out for good."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.serving.admission import Capacity, update_mean


@given(st.integers(1, 64), st.integers(0, 1000), st.integers(0, 2000), st.integers(1, 100))
def test_a_request_is_taken_on_wholly_or_not(cores: int, queue: int, present: int, photographs: int) -> None:
    """Beyond the bound nothing is added, but a request always gets its turn once nobody else is there."""
    capacity = Capacity(cores, queue)
    assert capacity.admits(present, photographs) == (present == 0 or present + photographs <= cores + queue)


@given(st.integers(1, 64), st.integers(0, 10_000), st.floats(0, 100))
def test_whoever_is_refused_is_told_a_time(cores: int, present: int, seconds: float) -> None:
    """The time grows with what waits, and is between a second and a minute."""
    capacity = Capacity(cores, 10)
    assert 1 <= capacity.retry_after(present, seconds) <= 60
    assert capacity.retry_after(present, seconds) <= capacity.retry_after(present + 1, seconds)


@given(st.lists(st.floats(0.001, 10), min_size=1))
def test_the_mean_stays_among_what_was_measured(times: list[float]) -> None:
    """The running mean begins with the first time, and never leaves the range of all of them."""
    mean = 0.0
    for seconds in times:
        mean = update_mean(mean, seconds)
    assert min(times) <= mean * (1 + 1e-9)
    assert mean <= max(times) * (1 + 1e-9)

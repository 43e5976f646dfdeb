"""Ids of answers are ULIDs."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.serving.answers import write_id

_TIME, _CHANCE = st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10)


@given(_TIME, _CHANCE, _TIME, _CHANCE)
def test_ids_sort_by_time(first: int, chance: bytes, second: int, other: bytes) -> None:
    """As texts they are in the order of their times, 26 letters long."""
    one, two = write_id(first, chance), write_id(second, other)
    assert len(one) == 26
    assert (one < two) == ((first, chance) < (second, other))


def test_an_id_is_what_others_make_of_the_same_bits() -> None:
    """The smallest and the largest, and the example of the ULID specification's own time."""
    assert write_id(0, bytes(10)) == "0" * 26
    assert write_id(2**48 - 1, b"\xff" * 10) == "7" + "Z" * 25
    assert write_id(1469918176385, bytes(10))[:10] == "01ARYZ6S41"

"""An index finds each of many names, and tells those that it does not hold."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.stores.tables.name_index import MISSING, KnownNames, NameIndex


@given(st.lists(st.text("ab\u00e4", min_size=1, max_size=9)), st.lists(st.text("ab\u00e4", min_size=1, max_size=12)))
def test_an_index_finds_the_first_row_of_each_name(names: list[str], wanted: list[str]) -> None:
    """Whatever the names, of any lengths and doubled, the index finds what a search from the first row on finds."""
    index = NameIndex(pa.array(names, pa.string()), np.arange(len(names)) + 7)
    expected = [names.index(name) + 7 if name in names else MISSING for name in wanted]
    assert index.find(pa.array(wanted, pa.string())).tolist() == expected


@given(st.lists(st.text("ab\u00e4", min_size=1, max_size=9)), st.lists(st.text("ab\u00e4", min_size=1, max_size=12)))
def test_what_was_not_known_at_a_moment_is_told(names: list[str], wanted: list[str]) -> None:
    """Of any names those are lacking that the table did not have, whether their letters or their keys are kept."""
    halves = names[::2], names[1::2]
    known = KnownNames([NameIndex(pa.array(half, pa.string()), np.arange(len(half))) for half in halves])
    assert known.lacking(wanted) == known.keys().lacking(wanted) == {*wanted} - {*names}


def test_names_with_the_same_key_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two names whose keys are equal by chance, or by intent, are still two names."""
    monkeypatch.setattr("tasks.stores.tables.name_index._keys", lambda words: np.zeros(len(words), np.uint64))
    index = NameIndex(pa.array(["b", "a", "c", "a"]), np.arange(4))
    assert index.find(pa.array(["a", "b", "c", "d"])).tolist() == [1, 0, 2, MISSING]

"""Row numbers of names are right whatever other writers do, and names are read once."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import PedigreeError
from tasks.stores.store import Store
from tasks.stores.tables.lance_table import Table
from tasks.stores.tables.row_numbers import MISSING, KnownNames, NameIndex
from tests.name_reads import NameReads, name_reads

SCHEMA = pa.schema([("image", pa.string()), ("view", pa.string())])
__all__ = ["name_reads"]


def _table(folder: Path) -> Table:
    return Store(str(folder)).table("rows", SCHEMA)


def _append(folder: Path, names: str, view: str = "as it is") -> None:
    """Append rows as another run does."""
    _table(folder).append([{"image": name, "view": view} for name in names])


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
    monkeypatch.setattr("tasks.stores.tables.row_numbers._keys", lambda letters: np.zeros(len(letters), np.uint64))
    index = NameIndex(pa.array(["b", "a", "c", "a"]), np.arange(4))
    assert index.find(pa.array(["a", "b", "c", "d"])).tolist() == [1, 0, 2, MISSING]


def test_rows_of_another_run_are_found_without_reading_all_again(tmp_path: Path, name_reads: NameReads) -> None:
    """What others append is found at the next look, in each view; the names that were known are read once."""
    _append(tmp_path, "abc")
    table = _table(tmp_path)
    assert table.find("abx", ["as it is"]).rows.tolist() == [0, 1, MISSING]
    for number, name in enumerate("defghijklmnop"):
        _append(tmp_path, name, "mirror")
        assert table.find([name], ["as it is", "mirror"]).rows.tolist() == [MISSING, 3 + number]
    _append(tmp_path, "ax", "as it is")
    assert table.find("axp", ["as it is", "mirror"]).rows.tolist() == [0, 17, MISSING, MISSING, MISSING, 15]
    assert name_reads.of("rows") == 1


def test_few_names_and_many_are_told_apart_alike(tmp_path: Path) -> None:
    """Which names a table has in a view does not depend on how many are asked for at once."""
    _append(tmp_path, "abcdefghijklmnopqrst")
    _append(tmp_path, "b", "mirror")
    table = _table(tmp_path)
    assert table.numbers.contains("az", "as it is").tolist() == [True, False]
    assert table.numbers.contains("zyxwvabcd" * 3, "as it is").tolist() == [*[False] * 5, *[True] * 4] * 3
    assert table.numbers.contains("zab" * 9, "mirror").tolist() == [False, False, True] * 9


def test_an_image_that_is_removed_meanwhile_moves_no_other(tmp_path: Path) -> None:
    """After a removal each name still leads to its own row, also where other rows came in the same moment."""
    _append(tmp_path, "abcdef")
    table = _table(tmp_path)
    assert table.find("abcdef", ["as it is"]).rows.tolist() == [0, 1, 2, 3, 4, 5]
    _table(tmp_path).remove("b")
    _append(tmp_path, "gh")
    assert table.find("abch", ["as it is"]).rows.tolist() == [0, MISSING, 1, 6]
    found = table.find("fga", ["as it is"])
    assert [row for part in found.take(["image"]) for row in part["image"].to_pylist()] == ["f", "g", "a"]


def test_a_missing_image_is_named_in_a_sentence(tmp_path: Path) -> None:
    """Reading an image that the table lacks says which one."""
    _append(tmp_path, "ab")
    table = Store(str(tmp_path)).table("rows", pa.schema([("image", pa.string())]))
    with pytest.raises(PedigreeError, match="lacks image x: run the night again"):
        list(table.take(["a", "x", "y"], ["image"]))

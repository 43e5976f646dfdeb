"""Row numbers of names are right whatever other writers do, and names are read once."""

from pathlib import Path

import pyarrow as pa
import pytest

from configs.errors import PedigreeError
from tasks.stores.store import Store
from tasks.stores.tables.lance_table import Table
from tasks.stores.tables.name_index import MISSING
from tests.name_reads import NameReads, name_reads

SCHEMA = pa.schema([("image", pa.string()), ("view", pa.string())])
__all__ = ["name_reads"]


def _table(folder: Path) -> Table:
    return Store(str(folder)).table("rows", SCHEMA)


def _append(folder: Path, names: str, view: str = "as it is") -> None:
    """Append rows as another run does."""
    _table(folder).append([{"image": name, "view": view} for name in names])


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

    def contains(names: str, view: str = "as it is") -> list[bool]:
        present: list[bool] = table.numbers.contains(pa.array(list(names)), view).tolist()
        return present

    assert contains("az") == [True, False]
    assert contains("zyxwvabcd" * 3) == [*[False] * 5, *[True] * 4] * 3
    assert contains("zab" * 9, "mirror") == [False, False, True] * 9


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
    with pytest.raises(PedigreeError, match="lacks image x: start the run again"):
        list(table.take(["a", "x", "y"], ["image"]))


def test_one_object_after_the_other_reads_no_name_again(tmp_path: Path, name_reads: NameReads) -> None:
    """Each step opens the store anew: the first one reads the names, and the others what was appended since."""
    _append(tmp_path, "abc")
    assert [_table(tmp_path).find("abc", ["as it is"]).rows.tolist() for _ in range(2)] == [[0, 1, 2]] * 2
    _append(tmp_path, "d")
    assert _table(tmp_path).find("dc", ["as it is"]).rows.tolist() == [3, 2]
    assert name_reads.of("rows") == 1


def test_a_store_that_takes_the_place_of_another_is_read_anew(tmp_path: Path) -> None:
    """Where a store was moved away and another one with as many rows lies there, its own names are found."""
    _append(tmp_path / "store", "abc")
    assert _table(tmp_path / "store").find("cb", ["as it is"]).rows.tolist() == [2, 1]
    (tmp_path / "store").rename(tmp_path / "former")
    _append(tmp_path / "store", "bca")
    assert _table(tmp_path / "store").find("cb", ["as it is"]).rows.tolist() == [1, 0]
    (tmp_path / "store").rename(tmp_path / "gone")
    assert _table(tmp_path / "store").find("cb", ["as it is"]).rows.tolist() == [MISSING, MISSING]

"""Tables that are written as changes on a base: anybody can rebuild them, exactly."""

import re
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.labels.labelled_images import LabelledImage, Labelling, LocatedImage
from tasks.stores.files.parquet_tables import apply_changes, find_changes
from tasks.stores.store import Store

_SCHEMA = pa.schema([("image", pa.string()), ("attributes", pa.map_(pa.string(), pa.string()))])
_PAGE = Path(__file__).parents[4] / "docs/reference/store-layout.md"

words = st.sampled_from(["", "a", "b", "ab", "é"])
rows = st.lists(st.tuples(words, st.lists(st.tuples(words, words), max_size=2)), max_size=12)


@given(rows, rows, st.data())
def test_a_table_is_rebuilt_from_any_base(former: list[object], new: list[object], data: st.DataObject) -> None:
    """Whatever two tables hold, in whatever order and however often, the changes lead from one to the other."""
    mixed = data.draw(st.permutations([*former, *new]))
    tables = [pa.table(list(zip(*part, strict=True)) or [(), ()], schema=_SCHEMA) for part in (former, mixed)]
    changes = find_changes(*tables)
    assert apply_changes(tables[0], changes).equals(tables[1])
    assert find_changes(tables[0], tables[0]).num_rows == 2 * (len(former) - len({str(row) for row in former}))


@cache
def version(first: int, last: int) -> tuple[str, list[Row]]:
    """Make a dataset version of these images, and its name."""
    rows = [
        Row(f"{number:064x}", f"breed {number % 9}", list(Split)[number % 4], (("coat", "white"),) * (number % 2), "k")
        for number in range(first, last)
    ]
    return dataset_hash(rows), rows


def write(store: Path, first: int, last: int) -> str:
    """Write a version of these images, and return its folder."""
    name, table = version(first, last)
    Store(str(store)).manifests.write(name, table)
    return f"datasets/{name}"


def test_a_version_that_differs_little_is_written_as_changes(tmp_path: Path) -> None:
    """Changes name a whole base, also where the former version is changes itself, and no version is read wrongly."""
    folders = [write(tmp_path, first, last) for first, last in ((0, 10_000), (50, 10_100), (100, 10_200))]
    assert [(tmp_path / folder / "manifest.parquet").exists() for folder in folders] == [True, False, False]
    assert all(
        f"{folders[0]}/manifest.parquet".encode() in file.read_bytes()
        for file in tmp_path.glob("datasets/*/changes.parquet")
    )
    assert max(file.stat().st_size for file in tmp_path.glob("datasets/*/changes.parquet")) < 20_000
    for first, last in ((0, 10_000), (50, 10_100), (100, 10_200)):
        name, table = version(first, last)
        assert Store(str(tmp_path)).manifests.read(name) == table
        assert Store(str(tmp_path)).manifests.count(name) == (len(table), 9)
        assert Store(str(tmp_path)).manifests.find_rows(name, [table[77].image], "") == [table[77]]
    assert set(Store(str(tmp_path)).manifests.versions()) == {folder.removeprefix("datasets/") for folder in folders}


def test_what_differs_much_or_is_small_is_whole(tmp_path: Path) -> None:
    """More than a tenth of changes makes a new base, and a version of few images needs none."""
    folders = [write(tmp_path, first, last) for first, last in ((0, 9_000), (1, 9_000), (0, 12_000), (1200, 12_001))]
    assert all((tmp_path / folder / "manifest.parquet").exists() for folder in folders)


def test_the_page_says_how_a_version_is_rebuilt_without_pedigree(tmp_path: Path) -> None:
    """The lines of docs/reference/store-layout.md rebuild a version from its changes."""
    write(tmp_path, 0, 10_000)
    folder = write(tmp_path, 500, 10_007)
    lines = re.search(r"```python\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    assert lines
    assert sum(map(bool, lines[1].splitlines())) == 10
    names = {"store": str(tmp_path), "version": folder.removeprefix("datasets/")}
    exec(lines[1], names)  # noqa: S102 - our own documentation
    rebuilt = names["rows"].to_pylist()  # type: ignore[attr-defined]
    assert [(row["image"], row["label"], row["split"], tuple(row["attributes"]), row["key"]) for row in rebuilt] == [
        tuple(row) for row in version(500, 10_007)[1]
    ]


@pytest.mark.parametrize(("damage", "problem"), [("missing", "is missing"), ("altered", "is damaged")])
def test_a_base_that_is_gone_is_named_and_never_taken_again(tmp_path: Path, damage: str, problem: str) -> None:
    """A version whose base is not what was written is refused by the base's name, and the next version is whole."""
    base = write(tmp_path, 0, 10_000)
    folder = write(tmp_path, 1, 10_001)
    if damage == "missing":
        (tmp_path / base / "manifest.parquet").unlink()
    else:
        other = write(tmp_path, 0, 5_000)
        (tmp_path / base / "manifest.parquet").write_bytes((tmp_path / other / "manifest.parquet").read_bytes())
    with pytest.raises(PedigreeError, match=f"{base}/manifest.parquet .*{problem}"):
        Store(str(tmp_path)).manifests.read(folder.removeprefix("datasets/"))
    name, table = version(2, 10_002)
    Store(str(tmp_path)).manifests.write(name, table, folder.removeprefix("datasets/"))
    assert Store(str(tmp_path)).manifests.read(name) == table


def test_a_labelling_that_differs_little_is_written_as_changes(tmp_path: Path) -> None:
    """A labelling comes back from its changes, also where an image has lost its label."""
    images = [LabelledImage(f"p/{n}", f"{n:064x}", "pug", (("coat", "x"),) * (n % 2), ()) for n in range(10_001)]
    former = Store(str(tmp_path)).labellings.write(Labelling(tuple(images), (), (), (), ()))
    lost = LocatedImage(images[7].key, images[7].image)
    labelling = Labelling((*images[:7], *images[8:]), (lost,), (), (), ("nowhere.jpg",))
    name = Store(str(tmp_path)).labellings.write(labelling, former)
    assert (tmp_path / f"labels/{name}.changes.parquet").stat().st_size < 10_000
    assert Store(str(tmp_path)).labellings.read(name) == labelling
    assert Store(str(tmp_path)).labellings.rehash(name) == name

"""What Lance tables promise on a folder and on S3."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import PedigreeError
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tasks.stores.tables.lance_rows import create_table
from tasks.stores.tables.name_index import MISSING, NameIndex

SCHEMA = pa.schema([("image", pa.string()), ("data", pa.large_binary())])
WRITER = """
import sys
import numpy as np
import pyarrow as pa
from tasks.stores.store import Store
url, writer = sys.argv[1:]
table = Store(url).table("shared", pa.schema([("image", pa.string()), ("data", pa.large_binary())]))
for number in range(4):
    table.append([{"image": f"{writer}-{number}", "data": b"x"}])
"""
# Writes one row that no version of the table names, and prints what commits it.
FRAGMENT_WRITER = """
import sys
import numpy as np
import pyarrow as pa
from tasks.stores.store import Store
url, name = sys.argv[1:]
table = Store(url).table("shared", pa.schema([("image", pa.string()), ("data", pa.large_binary())]))
print(*table.write_fragments([{"image": name, "data": name.encode()}]), end="")
"""


def test_a_table_that_nobody_wrote_is_empty(url: str) -> None:
    """Reading a table before its first append gives no rows, under the right columns."""
    rows = Store(url).table("new", SCHEMA).read(["image"])
    assert (rows.num_rows, rows.column_names) == (0, ["image"])


def test_a_table_that_is_being_created_is_empty(url: str, tmp_path: Path) -> None:
    """Who reads while another run creates a table, whose manifest comes last, finds no rows, and may append."""
    create_table(open_bucket(str(tmp_path / "other")), "shared", SCHEMA)
    others = open_bucket(str(tmp_path / "other"))
    begun = [entry.key for entry in others.entries("shared.lance/") if not entry.key.endswith(".manifest")]
    assert any(key.startswith("shared.lance/_versions/") for key in begun)
    for key in begun:
        open_bucket(url).create(key, others.read(key))
    table = Store(url).table("shared", SCHEMA)
    assert table.read(["image"]).num_rows == 0
    table.append([{"image": "a", "data": b"x"}])
    assert table.read(["image"])["image"].to_pylist() == ["a"]


def test_rows_keep_their_order(url: str) -> None:
    """Rows come back in the order in which they were appended, and by name in the order asked."""
    table = Store(url).table("ordered", SCHEMA)
    for name in ("b", "a", "c"):
        table.append([{"image": name, "data": name.encode()}])
    table.append([])
    assert table.read(["image"])["image"].to_pylist() == ["b", "a", "c"]
    taken = [data for part in table.take(["c", "b"], ["data"]) for data in part["data"].to_pylist()]
    assert taken == [b"c", b"b"]


def test_a_removed_image_leaves_no_byte(tmp_path: Path) -> None:
    """After a removal no file of the table, of any version, holds the image's bytes; others are as they were."""
    table = Store(str(tmp_path)).table("images", SCHEMA)
    data = {name: f"secret of {name} ".encode() * 100 for name in "abcdef"}
    for names in ("abc", "def"):
        table.append([{"image": name, "data": data[name]} for name in names])
    assert table.remove("b")
    assert not table.remove("b")
    assert not any(b"secret of b" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert [data for part in table.take("fca", ["data"]) for data in part["data"].to_pylist()] == [
        data["f"],
        data["c"],
        data["a"],
    ]


def test_many_writers_lose_nothing(url: str) -> None:
    """Several processes that make and extend the same table at once lose none of their rows."""
    writers = [
        subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", WRITER, url, str(number)], stderr=subprocess.PIPE
        )
        for number in range(4)
    ]
    errors = [writer.communicate()[1].decode() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4, errors
    names = Store(url).table("shared", SCHEMA).read(["image"])["image"].to_pylist()
    assert sorted(names) == sorted(f"{writer}-{number}" for writer in range(4) for number in range(4))


def test_writers_who_add_the_same_column_lose_nothing(url: str) -> None:
    """Several processes that find a table without a column add it once, and none of their rows is lost."""
    Store(url).table("shared", pa.schema([("image", pa.string())])).append([{"image": "old"}])
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, url, str(number)]) for number in range(3)]  # noqa: S603 - our own program
    assert [writer.wait() for writer in writers] == [0] * 3
    rows = Store(url).table("shared", SCHEMA).read(["data", "image"])
    assert rows.slice(0, 1).to_pylist() == [{"data": None, "image": "old"}]
    assert rows.slice(1)["data"].to_pylist() == [b"x"] * 12


def test_the_first_of_doubled_rows_counts() -> None:
    """A name that was appended twice stands for its first row."""
    index = NameIndex(pa.array(["a", "b", "a", "c"]), np.arange(4))
    assert index.find(pa.array(["c", "a", "d", "b", "a" * 99])).tolist() == [3, 0, MISSING, 1, MISSING]


def test_fragments_of_several_processes_become_rows_in_one_commit(url: str) -> None:
    """Rows that processes write apart are read by nobody, and then by all after one commit, in the order given."""
    table = Store(url).table("shared", SCHEMA)
    table.append([{"image": "old", "data": b"0"}])
    command = [sys.executable, "-c", FRAGMENT_WRITER, url]
    fragments = [subprocess.run([*command, name], stdout=subprocess.PIPE, check=True).stdout.decode() for name in "ba"]  # noqa: S603 - our own program
    assert table.read(["image"])["image"].to_pylist() == ["old"]
    before = table._open().version  # type: ignore[union-attr]
    assert table.commit_fragments([fragments[0], fragments[1], fragments[0]]) == 2
    assert table.read(["image", "data"]).to_pylist()[1:] == [
        {"image": "b", "data": b"b"},
        {"image": "a", "data": b"a"},
    ]
    assert table._open().version == before + 1  # type: ignore[union-attr]
    assert table.commit_fragments(fragments) == 0
    assert not list(Store(url).checksums.altered_files())
    assert table.files() == set(Store(url).checksums.read("shared.lance/"))


def test_a_fragment_whose_file_is_gone_is_not_appended(url: str) -> None:
    """A file that was swept while its fragment waited would make the table unreadable: the commit is refused."""
    table = Store(url).table("shared", SCHEMA)
    fragments = table.write_fragments([{"image": "a", "data": b"a"}])
    for entry in list(Store(url).objects.entries("shared.lance/data/")):
        Store(url).objects.remove(entry.key)
    with pytest.raises(PedigreeError, match="is gone before its rows were taken into the table"):
        table.commit_fragments(fragments)
    assert table.read(["image"]).num_rows == 0

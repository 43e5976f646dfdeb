"""Every kind of file that a store keeps: a flipped bit, a file deleted, and rows or files exchanged, are named."""

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import lance
import pyarrow as pa
import pytest

from configs.errors import PedigreeError
from tasks.catalog.verify import verify
from tasks.domain.ingestion.source_objects import Entry
from tasks.domain.synthetic.drawn_dogs import draw
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tests.flows.stored_runs import SOURCE, write_run
from tests.tasks.catalog.test_verify import flip
from tests.tasks.catalog.test_versions import quiet

#: Each kind of file by its name in the store.
KINDS = (
    "backbones/*.json",
    "backbones/*.npz",
    "backbones/outside/*.json",
    "contents.lance/data/*",
    "datasets/*/card.html",
    "datasets/*/card.json",
    "datasets/*/croissant.json",
    "datasets/*/manifest.parquet",
    "features/*.lance/data/*",
    "forgotten/*.json",
    "format.json",
    "heads/*.npz",
    "images.lance/data/*",
    "label-manifests/*",
    "labels/*.parquet",
    "ledger/*.json",
    "metadata.lance/data/*",
    "models/*/*.json",
    "nights/*/*.json",
    "objects.lance/data/*",
    "rejects.lance/data/*",
    "splits.lance/data/*",
    "trainings/*.json",
)
#: What Lance keeps beside its rows, marks without content, and the checksums themselves.
BESIDE = re.compile(r".*\.lance/(_versions|_transactions)/.*|.*\.applied|checksums/.*")


def picture(breed: str, seed: int) -> bytes:
    """Draw one small photograph."""
    sink = io.BytesIO()
    draw(breed, "white", seed).resize((64, 64)).save(sink, "JPEG")
    return sink.getvalue()


def fill(store: str) -> None:
    """Write a file of every kind into a store, over two runs."""
    Store(store).claim_format()
    objects = {f"{breed}/{seed}.jpg": picture(breed, seed) for breed in ("corgi", "poodle") for seed in range(6)}
    write_run(store, {**objects, "corgi/broken.jpg": b"no picture"})
    name = write_run(store, {**objects, **{f"husky/{seed}.jpg": picture("husky", seed) for seed in range(5)}})
    listed = Entry("corgi/0.jpg", "1", 10, "", "2026-11-01T00:00:00+00:00")
    Store(store).snapshots.add_metadata(SOURCE, [(listed, {"label": "corgi"})])
    Store(store).data_cards.write(name, {}, {})
    Store(store).data_cards.write_page(name, "<html></html>")
    Store(store).label_manifests.write(SOURCE, listed, b"key,label\n")
    Store(store).backbones.remember("outside", {"fingerprint": "net"})
    Store(store).tombstones.write("0" * 64, "2026-11-01")
    for moment in ("2026-11-01", "2026-11-02"):
        Store(store).processed_snapshots.write(SOURCE, moment, f"promoted {moment}")
        Store(store).training_results.write(moment, {"head": moment})
    for number in (1, 2):
        Store(store).ledger.mark_applied(number)


@pytest.fixture(scope="module")
def _intact_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    fill(str(folder))
    return folder


@pytest.fixture
def store(_intact_store: Path, tmp_path: Path) -> Path:
    """Copy the filled store, to be damaged."""
    return shutil.copytree(_intact_store, tmp_path / "store")


def damaged(store: Path | str) -> dict[str, str]:
    """Verify the newest version, and return what is damaged with how that shows."""
    return {damage.what: damage.detail for damage in verify(Store(str(store)), "latest", quiet).damage}


def is_named(store: Path, path: Path) -> bool:
    """Tell whether verifying names a file, or for tables of images and features one of its rows."""
    key = key_of(store, path)
    try:
        damage = damaged(store)
    except PedigreeError as problem:
        return key in str(problem)
    rows = key.startswith(("images", "features")) and any(name.startswith("image ") for name in damage)
    return key in damage or rows


def key_of(store: Path, path: Path) -> str:
    """Name a file as the store does."""
    return path.relative_to(store).as_posix()


def test_the_kinds_are_all_kinds(store: Path) -> None:
    """A store that nobody touched is whole and lacks no checksum, and every file of it is of one of the kinds."""
    report = verify(Store(str(store)), "latest", quiet)
    assert (report.damage, report.notes) == ((), ())
    keys = {key_of(store, path) for path in store.rglob("*") if path.is_file()}
    kinds = {key_of(store, path) for kind in KINDS for path in store.glob(kind)}
    assert {key for key in keys - kinds if not BESIDE.fullmatch(key)} == set()
    assert all(any(store.glob(kind)) for kind in KINDS)


@pytest.mark.parametrize("share", [0.3, 0.7])
@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_named(store: Path, kind: str, share: float) -> None:
    """One flipped bit in a file of any kind is named by that file, or by the row that it is in."""
    path = min(store.glob(kind))
    flip(path, int(path.stat().st_size * share))
    assert is_named(store, path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_file_is_named(store: Path, kind: str) -> None:
    """A deleted file of any kind is named."""
    path = min(store.glob(kind))
    path.unlink()
    assert is_named(store, path)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith(("ledger", "heads", "nights", "models"))])
def test_exchanged_files_are_named(store: Path, kind: str) -> None:
    """Two files of a kind that change places are both named."""
    first_file, second_file = sorted(store.glob(kind))[:2]
    first, second = first_file.read_bytes(), second_file.read_bytes()
    first_file.write_bytes(second)
    second_file.write_bytes(first)
    assert {key_of(store, first_file), key_of(store, second_file)} <= damaged(store).keys()


@pytest.mark.parametrize(
    ("name", "column"), [("contents", "image"), ("objects", "key"), ("rejects", "reason"), ("splits", "split")]
)
def test_exchanged_rows_are_named(store: Path, name: str, column: str) -> None:
    """A table whose rows somebody wrote anew, with a column turned around, is named."""
    uri = str(store / f"{name}.lance")
    rows = lance.dataset(uri).to_table()
    turned = rows[column].take(pa.array(range(rows.num_rows)[::-1]))
    lance.write_dataset(
        rows.set_column(rows.column_names.index(column), column, turned.cast(pa.string())), uri, mode="overwrite"
    )
    assert any(subject.startswith(f"{name}.lance/data/") for subject in damaged(store))


def test_a_lost_version_of_a_table_is_named(store: Path) -> None:
    """A table that reads on without its newest version is named by the rows that it does not know any more."""
    versions = sorted((store / "contents.lance" / "_versions").iterdir())
    versions[0].unlink()
    assert any(subject.startswith("contents.lance/data/") for subject in damaged(store))


def test_a_table_without_versions_is_named(store: Path) -> None:
    """A table of features whose folder of versions is gone is a sentence, and no crash."""
    shutil.rmtree(next((store / "features").glob("*.lance")) / "_versions")
    assert any("_versions is missing" in detail for detail in damaged(store).values())


def test_features_that_were_moved_away_are_no_damage(store: Path) -> None:
    """Who does what a run advises about altered features, and moves their table away, has a store that is whole."""
    shutil.rmtree(next((store / "features").glob("*.lance")))
    assert damaged(store) == {}


def _forge(ledger: Path, number: int) -> None:
    path = ledger / f"{number:06}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "figures": {"accuracy": 1.0}, "why": "forged"}))


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (lambda ledger: _forge(ledger, 1), "ledger/000001.json"),
        (lambda ledger: _forge(ledger, 2), "ledger/000002.json"),
        (lambda ledger: (ledger / "000001.json").unlink(), "ledger/000001.json"),
        (lambda ledger: (ledger / "000002.json").unlink(), "ledger/000002.json"),
        (lambda ledger: (ledger / "000007.applied").write_bytes(b""), "ledger/000007.applied"),
    ],
)
@pytest.mark.parametrize("checksums", [True, False])
def test_a_forged_ledger_is_named_and_nobody_decides_on_it(
    store: Path, tamper: Callable[[Path], object], named: str, checksums: bool
) -> None:
    """Forged, deleted and added entries are named, and no decision follows; without checksums the chain alone tells."""
    tamper(store / "ledger")
    assert named in damaged(store)
    if not checksums:
        shutil.rmtree(store / "checksums")
        # The newest entry has none after it that would tell.
        if named == "ledger/000002.json" and (store / named).exists():
            return
    with pytest.raises(
        PedigreeError, match=r"The ledger of .* is not as it was written, and nothing is decided on top of it"
    ):
        Store(str(store)).ledger.decide(lambda _entries: None)


def test_an_old_ledger_is_covered_by_the_next_entry(tmp_path: Path) -> None:
    """Entries without a word of those before them are taken as they are, and the first later one covers them all."""
    store = str(tmp_path)
    fill(store)
    shutil.rmtree(tmp_path / "checksums")
    for path in (tmp_path / "ledger").glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "before": ""}))
    ledger = Store(store).ledger
    first, second = ledger.verified_entries()
    assert ledger.first_altered() == ""
    assert ledger.append(type(second)(**{name: getattr(second, name) for name in second.__slots__} | {"number": 3}))
    assert ledger.first_altered() == ""
    _forge(tmp_path / "ledger", first.number)
    assert ledger.first_altered() == "ledger/000003.json"


@pytest.mark.parametrize("kind", ["nights/*/*.json", "contents.lance/data/*", "heads/*.npz", "ledger/*.json"])
def test_damage_in_a_bucket_is_named(s3_bucket: str, kind: str) -> None:
    """What holds in a folder holds in a bucket: a changed and a deleted file are named."""
    fill(s3_bucket)
    bucket = open_bucket(s3_bucket)
    pattern = re.compile(kind.replace(".", r"\.").replace("*", "[^/]+"))
    first, *_, last = [entry.key for entry in bucket.entries() if pattern.fullmatch(entry.key)]
    assert damaged(s3_bucket) == {}
    data = bucket.read(first)
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    for content, wrong in ((bytes(changed), True), (data, False)):
        bucket.remove(first)
        bucket.create(first, content)
        assert (first in damaged(s3_bucket)) == wrong
    bucket.remove(last)
    assert last in damaged(s3_bucket)

"""Damage of every kind, done to a real store, is found and named."""

import json
import random
import shutil
from pathlib import Path

import pytest

from flows.verify_store import verify_store
from tasks.catalog.verify import verify
from tasks.catalog.versions import find_version
from tasks.domain.datasets.splits import Assignment, Split
from tasks.stores.store import Store
from tests.flows.stored_runs import photographs, write_run
from tests.servers import PrefectServer
from tests.tasks.catalog.test_versions import quiet


@pytest.fixture(scope="module")
def _intact_store(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """Make a store with one decided version of six photographs of each of two breeds."""
    folder = tmp_path_factory.mktemp("whole")
    write_run(str(folder), photographs(photos, breeds=2, images=6))
    return folder


@pytest.fixture
def store(_intact_store: Path, tmp_path: Path) -> Path:
    """Copy the store, to be damaged."""
    return shutil.copytree(_intact_store, tmp_path / "store")


def damaged(store: Path) -> dict[str, str]:
    """Verify the only version, and return what is damaged with how that shows."""
    (name,) = (path.name for path in (store / "datasets").iterdir())
    return {damage.what: damage.detail for damage in verify(Store(str(store)), name, quiet).damage}


def flip(path: Path, offset: int) -> None:
    """Turn one bit of a file over."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def only(folder: Path, pattern: str) -> Path:
    """Find the one file of this pattern."""
    (path,) = folder.glob(pattern)
    return path


def largest(folder: Path) -> Path:
    """Find the largest data file of a Lance table."""
    return max((folder / "data").iterdir(), key=lambda path: path.stat().st_size)


def test_a_flipped_bit_of_an_image(store: Path) -> None:
    """One bit of one image's bytes names that image, and no other."""
    path = largest(store / "images.lance")
    flip(path, path.stat().st_size // 2)
    ((name, detail),) = damaged(store).items()
    assert name.startswith("image ")
    assert detail == "Its bytes have another SHA-256."


def test_a_lost_file_of_images(store: Path) -> None:
    """A data file that is gone is named with its table, and so is what is wrong."""
    path = largest(store / "images.lance")
    path.unlink()
    assert f"images.lance/data/{path.name}" in damaged(store)


def test_a_file_of_images_that_was_cut(store: Path) -> None:
    """A data file that was cut short is named with its table."""
    path = largest(store / "images.lance")
    path.write_bytes(path.read_bytes()[:-100])
    assert f"images.lance/data/{path.name}" in damaged(store)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_flipped_bit_of_the_manifest(store: Path, share: float) -> None:
    """Bits of the manifest's rows that flipped are found, wherever they lie."""
    path = only(store, "datasets/*/manifest.parquet")
    pages = path.stat().st_size - int.from_bytes(path.read_bytes()[-8:-4], "little") - 12
    flip(path, 4 + int(pages * share))
    assert "manifest" in damaged(store)


def test_a_lost_manifest_in_a_version_that_is_named(store: Path) -> None:
    """A manifest that was replaced by another version's is found by its hash."""
    path = only(store, "datasets/*/manifest.parquet")
    other = store / "datasets" / ("0" * 64) / path.name
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    damage = verify(Store(str(store)), find_version(Store(str(store)), "0000"), quiet).damage
    assert [item.what for item in damage] == ["manifest"]


def test_another_split_in_the_table(store: Path) -> None:
    """An image whose split for life is not the manifest's is named with both."""
    splits = Store(str(store)).splits
    image, assigned = next(iter(sorted(splits.stored().items())))
    for path in (store / "splits.lance").rglob("*"):
        if path.is_file():
            path.unlink()
    moved = Assignment(image, Split.TEST if assigned.split is not Split.TEST else Split.TRAIN)
    splits.settle(lambda assignments: {} if assignments else {image: moved})
    damage = {name: detail for name, detail in damaged(store).items() if name.startswith("image ")}
    assert damage.pop(f"image {image}").startswith("The manifest says")
    assert set(damage.values()) == {"The table of splits lacks it."}


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("datasets/*/card.json", "data card"),
        ("labels/*.parquet", "data card"),
        ("ledger/*.json", "ledger/"),
        ("heads/*", "head "),
        ("models/*/*.json", "record of head "),
        ("backbones/*.json", "backbone "),
        ("backbones/*.npz", "backbone "),
        ("features/*.lance/data/*", "features of backbone "),
    ],
)
def test_a_damaged_record(store: Path, pattern: str, name: str) -> None:
    """A record that was cut short or emptied is named, whichever it is."""
    path = only(store, pattern)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert any(subject_.startswith(name) for subject_ in damaged(store))


@pytest.mark.parametrize(
    "pattern",
    [
        "datasets/*/manifest.parquet",
        "datasets/*/card.json",
        "labels/*",
        "heads/*",
        "backbones/*.json",
        "backbones/*.npz",
    ],
)
def test_a_lost_record(store: Path, pattern: str) -> None:
    """A record that is gone is named, whichever it is."""
    only(store, pattern).unlink()
    assert damaged(store)


def test_a_record_with_other_figures(store: Path) -> None:
    """A ledger's file under another number and a card of another version are found though they can be read."""
    only(store, "ledger/*.json").rename(store / "ledger" / "000007.json")
    card = only(store, "datasets/*/card.json")
    card.write_text(json.dumps({**json.loads(card.read_text()), "images": 3}))
    named = {"ledger/000007.json", "ledger/000001.json", "data card", card.relative_to(store).as_posix()}
    assert set(damaged(store)) == named


@pytest.mark.parametrize("seed", range(25))
def test_no_damage_at_all_stops_the_search(store: Path, seed: int) -> None:
    """Whatever file is lost, cut or has flipped bits, the search ends with an answer and never with a crash."""
    chance = random.Random(seed)  # noqa: S311 - damage, not secrets
    path = chance.choice(sorted(path for path in store.rglob("*") if path.is_file() and "datasets" not in path.parts))
    data = bytearray(path.read_bytes())
    offset = max(0, len(data) - 1 - chance.randrange(1500))
    if seed % 3 and data:
        data[offset] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
    elif seed % 2:
        path.write_bytes(data[:offset])
    else:
        path.unlink()
    assert isinstance(damaged(store), dict)


def test_the_whole_store_is_verified_as_a_run(store: Path, prefect_server: PrefectServer) -> None:
    """Every version is looked at, an image that two share once; the run fails, naming what is damaged and where."""
    assert prefect_server.api_url
    original = only(store, "datasets/*/manifest.parquet")
    state = verify_store(store_url=str(store), return_state=True)
    assert (state.name, state.message) == ("Whole", "1 version, 12 images hashed again: all as it was written")
    other = store / "datasets" / ("0" * 64) / original.name
    other.parent.mkdir()
    other.write_bytes(original.read_bytes())
    state = verify_store(store_url=str(store), return_state=True)
    assert state.name == "Damaged"
    assert state.message == "2 versions, 12 images hashed again: damaged are manifest"

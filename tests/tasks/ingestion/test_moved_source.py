"""A source folder that was moved keeps its past: listings, rejections, and the protection against what vanishes."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from configs.errors import PedigreeError
from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.ingestion.source_objects import Entry, Snapshot
from tasks.ingestion import ingest as ingesting
from tasks.step import without_run_log
from tasks.stores.store import Store
from tests.tasks.lossy_sources import EverythingIsAPicture, World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Make a source that a run has answered, with one rejection and a manifest that was read."""
    monkeypatch.setattr(ingesting, "Decoder", EverythingIsAPicture)
    quiet = nullcontext(lambda _more, _seconds=None, /: None)
    monkeypatch.setattr(ingesting, "show_progress", lambda *_, **_named: quiet)
    created = World(tmp_path)
    (created.photos / "labels.csv").write_text("key,label")
    with without_run_log():
        created.run()
        store = Store(created.store)
        source = str(created.photos)
        entries = store.snapshots.stored(source)
        store.snapshots.add_rejects(source, [(entries["pug/00.jpg"], Rejection(Reason.DAMAGED, "cut"))])
        store.label_manifests.write(source, _manifest(entries), b"key,label")
        store.labellings.record_latest(source, "ab" * 32)
        yield created


def _manifest(entries: dict[str, Entry]) -> Entry:
    return entries["labels.csv"]


def move(world: World, folder: Path) -> None:
    """Move the source to another folder, which the settings name from then on."""
    world.photos.rename(folder)
    world.photos = folder
    world.settings = world.with_rule("at most 0.3")


def test_nothing_is_new_after_a_move(world: World, tmp_path: Path) -> None:
    """After a move nothing is fetched again, former days and rejections are known, and the former folder is empty."""
    former, store = str(world.photos), Store(world.store)
    first, before = store.snapshots.first_listed(former), world.stored()
    answered, tables = world.answered(), store.snapshots.located(former).num_rows
    move(world, tmp_path / "elsewhere")
    listed: Snapshot = world.run()
    store = Store(world.store)
    assert (listed.changed, listed.altered, listed.answered) == (0, 0, answered)
    assert world.stored() == before
    assert len(before) == tables == 37
    source = str(world.photos)
    assert store.snapshots.first_listed(source) == first
    assert len(store.snapshots.stored(source, first)) == 37
    assert store.snapshots.rejects(source) == {}
    assert store.labellings.latest(source) == "ab" * 32
    assert store.label_manifests.read(source, _manifest(store.snapshots.stored(source))) == b"key,label"
    assert store.snapshots.stored(former) == {}
    assert len(store.snapshots.stored(former, first)) == 37


def test_what_vanishes_in_a_move_is_told(world: World, tmp_path: Path) -> None:
    """A move that loses half of the photographs is refused as any other loss is."""
    for breed in ("boxer", "husky"):
        world.remove(breed, 9)
    move(world, tmp_path / "elsewhere")
    with pytest.raises(PedigreeError, match="18 of the 37 objects"):
        world.run()


def test_another_folder_is_another_source(world: World, tmp_path: Path) -> None:
    """A copy beside the folder, and a folder of other photographs, begin a past of their own."""
    former = str(world.photos)
    move(world, tmp_path / "elsewhere")
    (tmp_path / "photos").mkdir()
    assert world.run().changed == 37
    assert len(Store(world.store).snapshots.stored(former)) == 37
    other = World(tmp_path / "other")
    other.store = world.store
    for path in other.photos.rglob("*.jpg"):
        path.write_bytes(path.read_bytes() * 2)
    other.settings = other.with_rule("at most 0.3")
    (tmp_path / "photos").rmdir()
    assert other.run().changed == 36

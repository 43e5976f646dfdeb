"""What a run with nothing new takes again, and that each thing it depends on, changed alone, is seen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from inspect import unwrap
from pathlib import Path
from typing import Any

import pytest

from configs.load import parse_settings, resolve
from configs.schema import Settings
from tasks.datasets import assemble, label
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.datasets.splits import Assignment, Split
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.ingestion.source_objects import Entry
from tasks.domain.registry.decisions import Decision
from tasks.domain.registry.model_record import hash_settings
from tasks.ingestion import ingest, snapshot
from tasks.stores.files import known_results
from tasks.stores.store import Store
from tests.tasks.lossy_sources import EverythingIsAPicture

STEPS = {"snapshot", "ingest", "label", "assemble"}
ELSEWHERE = Entry("elsewhere/1.jpg", "etag", 1, "", "2026-11-01T00:00:00+00:00")


class NoTwoAlike(EverythingIsAPicture):
    """What stands in for the processes that decode: any bytes are a picture, and no two pictures look the same."""

    def examine(self, files: Sequence[bytes]) -> list[ImageInfo]:
        """Take the hash of the bytes for that of the picture."""
        infos = zip(super().examine(files), files, strict=True)
        return [replace(info, phash=sha256(data).digest()) for info, data in infos]


class World:
    """A source of two breeds, and the runs over it, each as far as the dataset version."""

    def __init__(self, folder: Path) -> None:
        """Fill the source with photographs, each with bytes of its own."""
        self.photos = folder / "photos"
        self.sections: dict[str, Any] = {"dataset": {"min_images_per_class": 3}}
        for number in range(40):
            self.add(f"{'pug' if number % 2 else 'boxer'}/{number:02}.jpg")
        self.store = Store(str(folder / "store"))

    def add(self, key: str) -> None:
        """Put a photograph into the source."""
        (self.photos / key).parent.mkdir(parents=True, exist_ok=True)
        (self.photos / key).write_bytes(key.encode())

    @property
    def settings(self) -> Settings:
        """Return today's settings."""
        given = {"source": {"url": str(self.photos)}, "store": {"url": self.store.url}, **self.sections}
        return resolve(parse_settings(given, "a test"))

    def run(self) -> Dataset:
        """Take the steps before training, and answer the listing."""
        settings = self.settings
        listed = unwrap(snapshot.snapshot.fn)(settings.source, settings.store)
        ingested = unwrap(ingest.ingest.fn)(listed, settings)
        labels = unwrap(label.label.fn)(ingested, settings.labels, settings.store)
        dataset: Dataset = unwrap(assemble.assemble.fn)(labels, settings, force=False)
        self.store.processed_snapshots.write(listed.source, listed.taken, "unchanged")
        return dataset

    def decide(self, dataset: Dataset) -> None:
        """Let the gate reject a model of the version."""
        recipe = hash_settings(self.settings)
        decided = Decision(1, "now", "rejected", None, None, dataset.hash, recipe, "b", "h", "run", "1", "why", [])
        assert self.store.ledger.append(decided)

    def computed_anew(self) -> set[str]:
        """Take a run, and return the steps that found something they did not know."""
        before = self.known_files()
        self.run()
        return {name for name, files in self.known_files().items() if files != before[name]}

    def known_files(self) -> Mapping[str, set[str]]:
        """Return what is known of each step."""
        return {step: {entry.key for entry in self.store.objects.entries(f"known/{step}/")} for step in STEPS}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Make a world in which nothing has changed since the last run."""
    monkeypatch.setattr(ingest, "Decoder", NoTwoAlike)
    created = World(tmp_path)
    created.decide(created.run())
    created.run()
    return created


def test_a_run_with_nothing_new_takes_everything_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing has changed no table is read and nothing is found anew, and the outcome is the same."""
    before = world.run()

    def refuse(*_: object) -> None:
        raise AssertionError("a table is read")

    monkeypatch.setattr("tasks.stores.tables.lance_table.Table.read", refuse)
    assert world.computed_anew() == set()
    assert world.run() == before
    assert before.state == "unchanged"


def alter_settings(**sections: Mapping[str, Any]) -> Callable[[World], None]:
    """Change settings of a world."""
    return lambda world: world.sections.update(sections)


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        (lambda world: world.add("pug/new.jpg"), {"snapshot", "label", "assemble"}),
        (lambda world: (world.photos / "pug/01.jpg").unlink(), {"snapshot", "ingest", "label", "assemble"}),
        (
            lambda world: world.store.snapshots.add_contents(str(world.photos), [(ELSEWHERE, "0" * 64)]),
            {"ingest", "label"},
        ),
        (
            lambda world: world.store.snapshots.add_rejects(
                str(world.photos), [(ELSEWHERE, Rejection(Reason.EMPTY, "no bytes"))]
            ),
            {"ingest"},
        ),
        (
            lambda world: world.store.splits.settle(
                lambda assigned: {} if "0" * 64 in assigned else {"0" * 64: Assignment("0" * 64, Split.TEST)}
            ),
            {"assemble"},
        ),
        (lambda world: world.store.tombstones.write("0" * 64, "now"), {"label"}),
        (alter_settings(labels={"aliases": {"mops": "pug"}}), {"label", "assemble"}),
        (alter_settings(labels={"leave_out": ["wolf"]}), {"label", "assemble"}),
        (alter_settings(dataset={"min_images_per_class": 3, "test_percent": 30}), {"assemble"}),
        (alter_settings(images={"min_side": 40}), {"ingest"}),
    ],
    ids=["added", "removed", "contents", "rejects", "splits", "forgotten", "aliases", "left out", "shares", "limits"],
)
def test_each_thing_that_a_step_depends_on_is_seen(
    world: World, change: Callable[[World], object], anew: set[str]
) -> None:
    """One change alone lets just those steps find their results anew that depend on it."""
    change(world)
    assert world.computed_anew() == anew


def test_other_code_takes_nothing_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another version of the code has found is found anew, by each step."""
    monkeypatch.setattr(known_results, "code_hash", lambda: "another version")
    assert world.computed_anew() == STEPS


def test_a_damaged_result_is_found_anew_and_put_right(world: World) -> None:
    """A file of known results that is not what was written is no result, and the next run writes it again."""
    before = world.run()
    for entry in world.store.objects.entries("known/"):
        path = Path(world.store.url) / entry.key
        path.write_text(path.read_text().replace("4", "5"))
    assert world.run() == before
    assert world.computed_anew() == set()
    assert world.run() == before


def test_a_photograph_that_may_be_readable_soon_is_looked_at_in_each_run(world: World) -> None:
    """As long as an object is rejected for a reason that passes by itself, whether to fetch is asked in each run."""
    world.add("pug/locked.jpg")
    world.run()
    listed = world.store.snapshots.stored(str(world.photos))["pug/locked.jpg"]
    world.store.snapshots.add_rejects(str(world.photos), [(listed, Rejection(Reason.CANNOT_BE_READ, "locked"))])
    assert world.store.snapshots.is_retried_in_time(str(world.photos))

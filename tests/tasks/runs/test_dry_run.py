"""A dry run: it foretells what the steps come to, and leaves the store as it was, on a folder and on S3."""

import io
from inspect import unwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from configs.errors import PedigreeError
from configs.load import parse_settings
from configs.schema import Settings
from tasks.datasets.assemble import assemble
from tasks.datasets.label import label
from tasks.domain.datasets.manifest import Dataset
from tasks.ingestion.ingest import ingest
from tasks.ingestion.snapshot import snapshot
from tasks.runs.dry_run import dry_run
from tasks.step import without_run_log
from tasks.stores.objects.object_store import open_bucket
from tests.servers import mlflow_database


@pytest.fixture
def settings(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Name a source and a store side by side, where neither holds anything yet."""
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path))
    root = url.rstrip("/")
    values = {
        "source": {"url": f"{root}/photos"},
        "store": {"url": f"{root}/store"},
        "dataset": {"min_images_per_class": 3},
        "backbone": {"weights": "random", "cut": "mixed0", "size": 75},
        "tracking": {"url": mlflow_database(tmp_path)},
    }
    return parse_settings(values, "a test")


def put(settings: Settings, breed: str, numbers: range) -> None:
    """Put pictures of noise into the source."""
    for number in numbers:
        chance, sink = np.random.default_rng([number, *breed.encode()]), io.BytesIO()
        Image.fromarray(chance.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(sink, "PNG")
        open_bucket(settings.source.url).create(f"{breed}/{number}.png", sink.getvalue())


def run_steps(settings: Settings) -> Dataset:
    """Make the steps of a retraining before the network for good."""
    with without_run_log():
        ingested = unwrap(ingest.fn)(unwrap(snapshot.fn)(settings.source, settings.store), settings)
        labels = unwrap(label.fn)(ingested, settings.labels, settings.store)
        dataset: Dataset = unwrap(assemble.fn)(labels, settings, False)  # noqa: FBT003 - not forced
        return dataset


def files(settings: Settings) -> list[tuple[str, str]]:
    """Name every file of the store with its ETag."""
    return [(entry.key, entry.etag) for entry in open_bucket(settings.store.url).entries()]


def test_it_foretells_the_version_and_keeps_nothing(settings: Settings, tmp_path: Path) -> None:
    """New images, rejections, classes and the version's hash are those of the run that follows; no file differs."""
    for breed in ("poodle", "pug"):
        put(settings, breed, range(6))
    open_bucket(settings.source.url).create("pug/words.jpg", b"words")
    first = dry_run(settings)
    assert (first.would, first.data.ingested.new, first.embedded) == ("train", 12, 12)
    assert first.rejected == {"not-an-image": 1}
    assert files(settings) == []
    assert run_steps(settings).hash == first.data.dataset.hash

    put(settings, "poodle", range(6, 9))
    put(settings, "boxer", range(2))
    before = files(settings)
    second = dry_run(settings)
    assert files(settings) == before
    assert list(tmp_path.glob("dry-run-*")) == []
    assert (second.data.ingested.new, second.rejected) == (5, {})
    assert [line.partition(" ")[0] for line in second.data.dataset.waiting] == ["boxer"]
    assert run_steps(settings).hash == second.data.dataset.hash
    plain = second.to_dict()
    assert (plain["would"], plain["images"]["total"], plain["classes"]["all"]) == ("train", 15, ["poodle", "pug"])


def test_what_would_wait_or_fail_is_foretold(settings: Settings) -> None:
    """One class alone waits; a source that is gone is told as the run would tell it."""
    put(settings, "pug", range(4))
    alone = dry_run(settings)
    assert (alone.would, alone.embedded, "only pug" in alone.data.dataset.reason) == ("wait", 0, True)
    for number in range(4):
        open_bucket(settings.source.url).remove(f"pug/{number}.png")
    with pytest.raises(PedigreeError, match=r"is empty|There is no folder"):
        dry_run(settings)

"""A dry run: what a retraining would do with what the source holds, without training and without keeping anything."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import unwrap
from time import perf_counter
from typing import Any, Literal

from configs.cores import count_cores
from configs.schema import Backbone, Settings
from tasks.datasets.assemble import assemble
from tasks.datasets.label import label
from tasks.domain.registry.model_record import training_settings
from tasks.domain.runs.results import RunData
from tasks.ingestion.ingest import ingest
from tasks.ingestion.snapshot import snapshot
from tasks.runs.preflight import preflight
from tasks.runs.scratch_store import scratch_store
from tasks.step import without_run_log
from tasks.stores.store import Store

# Photographs a second and core that pass through the whole network at 299 px; docs/explanation/speed.md.
_PACE, _SIDE = 6.8, 299


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a retraining would do.

    Attributes:
        would: Whether it would train a model, wait for more photographs, or change nothing.
        data: What the photographs would come to.
        rejected: How many photographs it would reject, by reason.
        new_classes: Classes that the parent version does not have.
        lost_classes: Classes that only the parent version has.
        embedded: How many images would pass through the network.
        seconds: What was measured (photographs) and what is estimated (embedding, at most).
    """

    would: Literal["train", "wait", "change nothing"]
    data: RunData
    rejected: Mapping[str, int]
    new_classes: tuple[str, ...]
    lost_classes: tuple[str, ...]
    embedded: int
    seconds: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        dataset, ingested = self.data.dataset, self.data.ingested
        return {
            "would": self.would,
            "reason": dataset.reason,
            "dataset": dataset.hash,
            "parent": dataset.parent,
            "images": {
                "total": dataset.images,
                "new": ingested.new,
                "rejected": ingested.rejected,
                "embedded": self.embedded,
            },
            "rejected": dict(self.rejected),
            "classes": {
                "all": list(dataset.classes),
                "new": list(self.new_classes),
                "lost": list(self.lost_classes),
                "waiting": list(dataset.waiting),
            },
            "seconds": dict(self.seconds),
        }


def dry_run(settings: Settings, as_of: str = "", *, force: bool = False) -> DryRun:
    """Make the steps of a retraining before the network on a copy of the store, and throw the copy away.

    Args:
        settings: All of them.
        as_of: A former day such as 2026-11-01; empty means now.
        force: Whether the retraining would train also when nothing has changed.

    Returns:
        What it would do.
    """
    with without_run_log():
        settings = unwrap(preflight.fn)(settings)
        store = Store(settings.store.url)
        with scratch_store(store) as scratch:
            inside = settings.model_copy(
                update={"store": settings.store.model_copy(update={"url": scratch.url, "images": "copy"})}
            )
            started = perf_counter()
            data = _prepare_data(inside, as_of, force=force)
            seconds = perf_counter() - started
            return _describe(data, settings, store, scratch, seconds)


def _prepare_data(settings: Settings, as_of: str, *, force: bool) -> RunData:
    listed = unwrap(snapshot.fn)(settings.source, settings.store, as_of)
    ingested = unwrap(ingest.fn)(listed, settings)
    labels = unwrap(label.fn)(ingested, settings.labels, settings.store)
    return RunData(ingested, labels, unwrap(assemble.fn)(labels, settings, force))


def _describe(data: RunData, settings: Settings, store: Store, scratch: Store, seconds: float) -> DryRun:
    dataset, classes = data.dataset, set(data.dataset.classes)
    former = _classes(store, dataset.parent) if dataset.parent else classes
    embedded = _count_lacking(dataset.hash, settings, store, scratch) if dataset.trainable else 0
    estimate = estimate_seconds(embedded, settings.backbone)
    return DryRun(
        would="train" if dataset.trainable else "wait" if dataset.state == "waiting" else "change nothing",
        data=data,
        rejected=_count_rejected(settings.source.url, store, scratch) if data.ingested.rejected else {},
        new_classes=tuple(sorted(classes - former)),
        lost_classes=tuple(sorted(former - classes)) if dataset.trainable else (),
        embedded=embedded,
        seconds={"photographs": round(seconds, 1), "embedding": round(estimate, 1)},
    )


def _classes(store: Store, version: str) -> set[str]:
    return {label for label, _ in store.manifests.columns(version).kinds}


def _count_rejected(source: str, store: Store, scratch: Store) -> dict[str, int]:
    before, after = store.snapshots.rejected(source), scratch.snapshots.rejected(source)
    counts = Counter(rejection.reason.value for key, rejection in after.items() if before.get(key) != rejection)
    return dict(sorted(counts.items()))


def _count_lacking(dataset: str, settings: Settings, store: Store, scratch: Store) -> int:
    """Count the images of a version whose features the store lacks, as far as a former model tells the backbone."""
    images = scratch.manifests.columns(dataset).images.to_pylist()
    entries = store.ledger.entries()
    if not entries:
        return len(images)
    record = store.records.read(entries[-1].head, entries[-1].dataset)
    if record.settings.get("backbone") != training_settings(settings)["backbone"]:
        return len(images)
    return len(store.features(record.features.fingerprint, record.features.width).lacking(images))


def estimate_seconds(images: int, backbone: Backbone) -> float:
    """Estimate how long so many images take in the network on this machine; an early cut takes less.

    Args:
        images: How many.
        backbone: Names the size of pictures.

    Returns:
        Seconds.
    """
    return images / (_PACE * count_cores()) * (backbone.size / _SIDE) ** 2

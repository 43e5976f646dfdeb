"""The store: what Pedigree owns, append-only and addressed by content, with one attribute for each kind of thing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from configs.errors import PedigreeError
from tasks.stores.files import store_format
from tasks.stores.files.checksums import Checksums
from tasks.stores.files.known_results import KnownResults
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.records import (
    CutChoices,
    ModelRecords,
    Packages,
    ProcessedSnapshots,
    Tombstones,
    TrainingResults,
)
from tasks.stores.files.weights import Backbones, CheckpointStore, Heads
from tasks.stores.objects.object_store import Bucket, ObjectChangedError, open_bucket
from tasks.stores.objects.originals import parse_reference

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.stores.files.labellings import Labellings, LabelManifests
    from tasks.stores.files.leases import Leases
    from tasks.stores.files.manifests import DataCards, Manifests
    from tasks.stores.files.near_duplicate_groups import NearDuplicateGroups
    from tasks.stores.tables.features import FeatureStore
    from tasks.stores.tables.images import ImageStore
    from tasks.stores.tables.lance_table import Table
    from tasks.stores.tables.snapshots import SnapshotStore
    from tasks.stores.tables.splits import SplitStore

T = TypeVar("T")
_IDENTITY_FILE = "identity.json"
# Images, and rows of features, that a copy holds in memory at once.
_IMAGES, _FEATURES = 64, 4096


@dataclass(frozen=True)
class Store:
    """A store at an address; nothing is read or written before one of its kinds is asked to.

    Kinds that need Arrow or psutil are imported when they are asked for first: most commands need few of them.
    """

    url: str

    @cached_property
    def objects(self) -> Bucket:
        """The files of the store by their keys; every other kind reads and writes these."""
        return open_bucket(self.url)

    @cached_property
    def checksums(self) -> Checksums:
        """The SHA-256 of each file."""
        return Checksums(self.objects)

    @cached_property
    def ledger(self) -> Ledger:
        """All decisions, which alone say who is champion."""
        return Ledger(self.objects, self.checksums)

    @cached_property
    def records(self) -> ModelRecords:
        """What each model was made from."""
        return ModelRecords(self.objects, self.checksums)

    @cached_property
    def training_results(self) -> TrainingResults:
        """How each training ended."""
        return TrainingResults(self.objects, self.checksums)

    @cached_property
    def processed_snapshots(self) -> ProcessedSnapshots:
        """Which listings of a source a run has answered."""
        return ProcessedSnapshots(self.objects, self.checksums)

    @cached_property
    def cut_choices(self) -> CutChoices:
        """What the cut ``auto`` means."""
        return CutChoices(self.objects, self.checksums)

    @cached_property
    def known_results(self) -> KnownResults:
        """What steps of former runs found, for a run in which nothing has changed."""
        return KnownResults(self.objects)

    @cached_property
    def tombstones(self) -> Tombstones:
        """Which images were removed for good."""
        return Tombstones(self.objects, self.checksums)

    @cached_property
    def packages(self) -> Packages:
        """The files that each model was packaged with, by their SHA-256."""
        return Packages(self.objects, self.checksums)

    @cached_property
    def backbones(self) -> Backbones:
        """Weights of backbones."""
        return Backbones(self.objects, self.checksums)

    @cached_property
    def heads(self) -> Heads:
        """Weights of heads."""
        return Heads(self.objects, self.checksums)

    @cached_property
    def leases(self) -> "Leases":
        """Which run does some costly work at the moment."""
        from tasks.stores.files.leases import Leases

        return Leases(self.objects)

    @cached_property
    def labellings(self) -> "Labellings":
        """What each image of a source shows."""
        from tasks.stores.files.labellings import Labellings

        return Labellings(self.objects, self.checksums)

    @cached_property
    def label_manifests(self) -> "LabelManifests":
        """The sources' own manifests, as they were read."""
        from tasks.stores.files.labellings import LabelManifests

        return LabelManifests(self.objects, self.checksums)

    @cached_property
    def manifests(self) -> "Manifests":
        """The images of each dataset version."""
        from tasks.stores.files.manifests import Manifests

        return Manifests(self.objects, self.checksums)

    @cached_property
    def data_cards(self) -> "DataCards":
        """The data card of each dataset version."""
        from tasks.stores.files.manifests import DataCards

        return DataCards(self.objects, self.checksums)

    @cached_property
    def near_duplicate_groups(self) -> "NearDuplicateGroups":
        """The near-duplicate groups that former runs found."""
        from tasks.stores.files.near_duplicate_groups import NearDuplicateGroups

        return NearDuplicateGroups(self.objects, self.checksums)

    @cached_property
    def images(self) -> "ImageStore":
        """Every image's bytes, and what was measured when it was decoded."""
        from tasks.stores.tables.images import ImageStore

        return ImageStore(self.objects, self.checksums)

    @cached_property
    def splits(self) -> "SplitStore":
        """The split of each image."""
        from tasks.stores.tables.splits import SplitStore

        return SplitStore(self.objects, self.checksums)

    @cached_property
    def snapshots(self) -> "SnapshotStore":
        """What each listing of a source held, and what became of every object."""
        from tasks.stores.tables.snapshots import SnapshotStore

        return SnapshotStore(self.objects, self.checksums)

    def features(self, fingerprint: str, width: int, precision: str = "float32") -> "FeatureStore":
        """Return what one backbone made of each image.

        Args:
            fingerprint: The hash that names the backbone.
            width: Numbers in each vector.
            precision: How they are written: float32 or float16.

        Returns:
            The table of these features, which need not be there yet.
        """
        from tasks.stores.tables.features import FeatureStore

        key = (fingerprint, width, precision)
        if key not in self._features:
            self._features[key] = FeatureStore(self.objects, self.checksums, *key)
        return self._features[key]

    @cached_property
    def _features(self) -> "dict[tuple[str, int, str], FeatureStore]":
        """The tables of features that were asked for, each of which knows its row numbers from then on."""
        return {}

    def checkpoints(self, name: str) -> CheckpointStore:
        """Return the checkpoints of the fine-tuning that is named by this hash."""
        return CheckpointStore(self.objects, name)

    def table(self, name: str, schema: "pa.Schema") -> "Table":
        """Return any table by its name.

        Args:
            name: The table's path without its suffix, such as images.
            schema: The columns that whoever writes it expects.

        Returns:
            The table, which need not be there yet.
        """
        from tasks.stores.tables.lance_table import Table

        return Table(self.objects, self.checksums, name, schema)

    def remove_features(self, image: str) -> int:
        """Remove what every backbone made of an image, and return how many these were."""
        import pyarrow as pa

        names = {entry.key.split(".lance/")[0] for entry in self.objects.entries("features/")}
        return sum(self.table(name, pa.schema([])).remove(image) for name in sorted(names))

    def claim_format(self) -> None:
        """Write down the format of a store that has none yet; raise PedigreeError where a newer Pedigree made it."""
        store_format.claim(self.checksums)

    def check_format(self) -> None:
        """Raise PedigreeError where this Pedigree may neither read nor write the store; a new one has no format."""
        store_format.check(self.objects)

    def claim_references(self) -> None:
        """Write down that originals may stay in their source, which a former Pedigree would take for damage."""
        store_format.claim_references(self.checksums)

    def identity(self) -> str:
        """Return the name that a store was given once, and that its copies share; a store without one gets it now."""
        try:
            return _identity(self.objects.read(_IDENTITY_FILE))
        except ObjectChangedError:
            self.checksums.create(_IDENTITY_FILE, json.dumps({"store": uuid4().hex}).encode())
            return _identity(self.objects.read(_IDENTITY_FILE))
        except (ValueError, KeyError, TypeError):
            message = f"The file {_IDENTITY_FILE} of the store {self.url} is damaged: put it back from a copy."
            raise PedigreeError(message) from None


def _identity(data: bytes) -> str:
    return str(json.loads(data)["store"])


def copy_images(origin: Store, target: Store, images: Sequence[str]) -> None:
    """Write images into another store, with what was measured when they were first decoded; references stay such.

    Args:
        origin: The store that holds them.
        target: The store that gets them.
        images: Their names.
    """
    examined, contents = origin.images.read_infos(images), origin.images.read_stored(images)
    for batch in _batches(contents, _IMAGES):
        if any(parse_reference(data) for _, data in batch):
            target.claim_references()
        target.images.add([(examined[image], data) for image, data in batch])


def copy_backbone(origin: Store, target: Store, fingerprint: str) -> None:
    """Write a backbone into another store.

    Args:
        origin: The store that holds it.
        target: The store that gets it.
        fingerprint: The hash that names it.
    """
    data, facts = origin.backbones.read(fingerprint)
    graph = origin.backbones.read_graph(facts) if "graph" in facts else b""
    target.backbones.write(fingerprint, data, facts, graph)


def copy_features(origin: "FeatureStore", target: "FeatureStore", views_by_image: Mapping[str, Sequence[str]]) -> None:
    """Write what a backbone made of images into another store.

    Args:
        origin: The features that are there.
        target: Those of the same backbone in the other store.
        views_by_image: The views that are wanted of each image.
    """
    for view in sorted({view for views in views_by_image.values() for view in views}):
        images = iter([image for image, views in views_by_image.items() if view in views])
        for batch in _batches(images, _FEATURES):
            target.add(batch, origin.read(batch, view), [view] * len(batch))


def _batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(items, size)):
        yield batch

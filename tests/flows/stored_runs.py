"""Stores as runs leave them, made by the functions that the steps call, without a network or a server."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tasks.domain.columns import whole
from tasks.domain.datasets.data_card import Evidence, build_data_card
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Shares, assign_splits
from tasks.domain.datasets.version_rows import dataset_hash, select_classes
from tasks.domain.hashing import sha256_of
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.near_duplicates import group_near_duplicates
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Rejection
from tasks.domain.ingestion.source_objects import Entry
from tasks.domain.labels.label_images import Statements, label_images
from tasks.domain.labels.labeling import Spelling
from tasks.domain.registry.decisions import Decision
from tasks.domain.registry.model_record import Record
from tasks.domain.training.results import FeatureSet
from tasks.modeling.backbone.serialization import hash_weights, to_bytes
from tasks.modeling.head.head import Head
from tasks.stores.store import Store
from tests.images import validate_image
from tests.listings import in_columns

SOURCE = "s3://photos"
MINIMUM = 4
WIDTH = 3


def photographs(photos: Path, breeds: int, images: int, first: int = 0) -> dict[str, bytes]:
    """Read so many real photographs of so many breeds, by the key that they have in a source."""
    folders = sorted(path for path in photos.iterdir() if path.is_dir())[:breeds]
    return {
        f"{folder.name}/{path.name}": path.read_bytes()
        for folder in folders
        for path in sorted(folder.iterdir())[first : first + images]
    }


def write_run(store: str, objects: Mapping[str, bytes], *, decided: bool = True) -> str:
    """Leave what a run on these objects leaves in a store, and return the name of its dataset version."""
    _ingest(store, objects)
    located = Store(store).snapshots.located(SOURCE)
    statements = Statements.by_folder(whole(located["key"]), "label/coat")
    labelling = label_images(located, statements, Spelling({}, ()))
    labels = Store(store).labellings.write(labelling)
    images = [image.image for image in labelling.labelled]
    together = group_near_duplicates(Store(store).images.hashes(images), 3)
    marks = {image.image: image.label for image in labelling.labelled}
    splits = Store(store).splits.settle(
        lambda assignments: assign_splits(together, assignments, Shares(test=20, validation=15), marks)
    )
    rows = [
        Row(image.image, image.label, splits[image.image].split, image.attributes, image.key)
        for image in labelling.labelled
    ]
    selection = select_classes(rows, MINIMUM)
    name = dataset_hash(selection.rows)
    Store(store).manifests.write(name, selection.rows)
    if decided:
        waiting = [f"{image.label} ({image.reason})" for image in selection.waiting]
        card = build_data_card(selection.rows, [], Evidence(labelling, waiting=waiting)).to_dict()
        Store(store).data_cards.write(
            name, {**card, "dataset": name, "parent": None, "labels": labels, "waiting": waiting}, {}
        )
        _decide(store, name, [row.image for row in selection.rows])
    return name


def _ingest(store: str, objects: Mapping[str, bytes]) -> None:
    snapshots, limits = Store(store).snapshots, Limits(2**25, 10**8, 32)
    listed = [Entry(key, sha256_of(len(data)), len(data), "", "") for key, data in objects.items()]
    snapshots.record(SOURCE, "now", in_columns(listed))
    ingested: list[tuple[Entry, ImageInfo | Rejection]] = [
        (entry, validate_image(objects[entry.key], limits)) for entry in snapshots.pending(SOURCE)
    ]
    new = {info.image: (info, objects[entry.key]) for entry, info in ingested if isinstance(info, ImageInfo)}
    held = Store(store).images.stored()
    Store(store).images.add([pair for image, pair in new.items() if image not in held])
    snapshots.add_contents(SOURCE, [(entry, info.image) for entry, info in ingested if isinstance(info, ImageInfo)])
    snapshots.add_rejects(SOURCE, [(entry, info) for entry, info in ingested if isinstance(info, Rejection)])


def _decide(store: str, dataset: str, images: list[str]) -> None:
    number = len(Store(store).ledger.entries()) + 1
    weights = [np.ones((2, 2), np.float32)]
    facts = {"weights": hash_weights(weights)}
    backbone = sha256_of(facts)
    Store(store).backbones.write(backbone, to_bytes(weights), facts)
    head = Head(("a", "b"), np.full((WIDTH, 2), number, np.float32), np.zeros(2, np.float32))
    Store(store).heads.write(head.name, head.to_bytes())
    Store(store).features(backbone, WIDTH).add(images, np.ones((len(images), WIDTH), np.float32))
    feature_set = FeatureSet(backbone, WIDTH)
    Store(store).records.write(Record(dataset, {}, feature_set, feature_set, head.name, {"git_commit": "none"}, {}))
    decision = Decision(
        number=number,
        time=f"2026-11-0{number}T02:00:00+00:00",
        outcome="promoted",
        champion=number,
        against=number - 1 or None,
        dataset=dataset,
        recipe="recipe",
        backbone=backbone,
        head=head.name,
        run_id="run",
        model_version=str(number),
        reason="it is better",
        rules=[],
    )
    assert Store(store).ledger.append(decision)

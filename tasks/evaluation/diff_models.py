"""What differs between two models: their images, and their answers about the test images that both versions hold."""

import json
from dataclasses import dataclass

from configs.errors import Outage, Problem
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_diff import compare
from tasks.domain.evaluation.misclassifications import Flips, flips
from tasks.domain.labels.labeling import spelled
from tasks.reports.pages.diff_page import diff_page, pictured
from tasks.reports.pages.template import thumbnail
from tasks.stores.files.manifests import read_manifest
from tasks.stores.files.records import read_record
from tasks.stores.tables.images import ImageStore
from tasks.training.predict_stored import predict


@dataclass(frozen=True, slots=True)
class Model:
    """A head in the store, and the dataset version that it was trained on."""

    head: str
    dataset: str


def flips_between(store: str, before: Model, after: Model) -> Flips:
    """Ask both models the images that are in the test split of both versions, as their classes are called later.

    Only stored features are read; raises Problem where a head, its record or its features are gone.
    """
    former = {row.image for row in _tested(store, before.dataset)}
    rows = [row for row in _tested(store, after.dataset) if row.image in former]
    if not rows:
        return Flips(0, ())
    images = [row.image for row in rows]
    old, new = (read_record(store, one.head, one.dataset) for one in (before, after))
    said = predict(store, old.made, old.head, images)
    said = said.named(spelled(said.classes, new.settings.get("labels", {}).get("aliases", {})))
    return flips(rows, said, predict(store, new.made, new.head, images))


def difference_files(store: str, before: Model, after: Model) -> dict[str, bytes]:
    """Write the page about two models, and the same for programs, by the names that a run keeps them under."""
    found = compare(*(read_manifest(store, one.dataset) for one in (before, after)))
    try:
        flipped = flips_between(store, before, after)
    except Outage:
        raise
    except Problem:
        # A champion of which something is lost: the gate has its say about that, and the images differ all the same.
        flipped = None
    names = pictured(found, flipped)
    small = {
        image: thumbnail(data) if isinstance(data, bytes) else None for image, data in ImageStore(store).salvage(names)
    }
    facts = {"before": before.dataset, "after": after.dataset, **found.plain()}
    facts |= {"predictions": flipped.plain()} if flipped else {}
    return {
        "since-champion.html": diff_page(before.dataset, after.dataset, found, small, flipped).encode(),
        "since-champion.json": json.dumps(facts, ensure_ascii=False, indent=1).encode(),
    }


def _tested(store: str, dataset: str) -> list[Row]:
    return [row for row in read_manifest(store, dataset) if row.split is Split.TEST]

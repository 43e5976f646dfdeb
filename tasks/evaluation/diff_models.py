"""What differs between two models: their images, and their answers about the test images that both versions hold."""

import json
from dataclasses import dataclass

from configs.errors import PedigreeError, ServiceUnavailableError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_diff import diff_versions
from tasks.domain.evaluation.misclassifications import PredictionFlips, find_prediction_flips
from tasks.domain.labels.labeling import apply_aliases
from tasks.features.embedding import predict
from tasks.reports.pages.diff_page import list_pictured_images, render_version_diff
from tasks.reports.pages.template import make_thumbnail
from tasks.stores.store import Store


@dataclass(frozen=True, slots=True)
class Model:
    """A head in the store, the dataset version that it was trained on, and how people call it."""

    head: str
    dataset: str
    name: str = ""


def compare_predictions(store: Store, before: Model, after: Model) -> PredictionFlips:
    """Compare the predictions of two models about the images that are in the test split of both versions.

    Only stored features are read. Classes are named as they are called later.

    Args:
        store: The store that holds both.
        before: The earlier model.
        after: The later model.

    Returns:
        Which predictions flipped.

    Raises:
        PedigreeError: A head, its record or its features are gone.
    """
    former = {row.image for row in _test_rows(store, before.dataset)}
    rows = [row for row in _test_rows(store, after.dataset) if row.image in former]
    if not rows:
        return PredictionFlips(0, ())
    images = [row.image for row in rows]
    old, new = (store.records.read(model.head, model.dataset) for model in (before, after))
    predictions = predict(store, old.made, old.head, images)
    predictions = predictions.rename_classes(
        apply_aliases(predictions.classes, new.settings.get("labels", {}).get("aliases", {}))
    )
    return find_prediction_flips(rows, predictions, predict(store, new.made, new.head, images))


def render_diff_files(store: Store, before: Model, after: Model) -> dict[str, bytes]:
    """Render the page about two models, and the same for programs.

    Args:
        store: The store that holds both.
        before: The earlier model.
        after: The later model.

    Returns:
        The files' bytes by the names that a run keeps them under.

    Raises:
        ServiceUnavailableError: The store does not answer.
    """
    diff = diff_versions(*(store.manifests.columns(model.dataset) for model in (before, after)))
    try:
        flipped = compare_predictions(store, before, after)
    except ServiceUnavailableError:
        raise
    except PedigreeError:
        # A champion of which something is lost: the gate has its say about that, and the images differ all the same.
        flipped = None
    names = list_pictured_images(diff, flipped)
    small = {
        image: make_thumbnail(data) if isinstance(data, bytes) else None for image, data in store.images.salvage(names)
    }
    facts = {"before": before.dataset, "after": after.dataset, **diff.to_dict()}
    facts |= {"predictions": flipped.to_dict()} if flipped else {}
    page = render_version_diff(before.dataset, after.dataset, diff, small, flipped, (before.name, after.name))
    return {
        "since-champion.html": page.encode(),
        "since-champion.json": json.dumps(facts, ensure_ascii=False, indent=1).encode(),
    }


def _test_rows(store: Store, dataset: str) -> list[Row]:
    return list(store.manifests.columns(dataset).of_split(Split.TEST))

"""Step 7b: register the challenger, and let a stranger ask it what the evaluation asks."""

from collections.abc import Iterator
from contextlib import contextmanager

from configs import schema
from configs.errors import Problem
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.datasets.splits import Split
from tasks.domain.gate.serving_check import NO_PICTURE, SAMPLE, Served, served, unserved
from tasks.domain.runs.results import Trained
from tasks.serving.probe_process import Stranger
from tasks.step import step
from tasks.stores.files.manifests import read_manifest
from tasks.stores.tables.images import ImageStore
from tasks.stores.tracking import runs
from tasks.training.predict_stored import predict
from tasks.training.register import registered


@contextmanager
def invited(settings: schema.Settings) -> Iterator[Stranger | None]:
    """Let a stranger load what every model needs while this night embeds and trains, if a rule will want to know."""
    if not any(rule.scope == "served" for rule in settings.gate.parsed):
        yield None
        return
    with Stranger(settings.tracking.url) as stranger:
        yield stranger


@step(hours=2)
def rehearse(dataset: Dataset, trained: Trained, settings: schema.Settings, stranger: Stranger | None) -> Served:
    """Let the stranger load the version from the registry, and hold its answers against the evaluation's.

    Nothing is asked where nobody is there to ask. Raises Problem where MLflow itself does not answer.
    """
    if not stranger:
        return Served("", 0)
    store, place = settings.store.url, settings.tracking
    images = _sample(dataset, store)
    if not images:
        return Served("", 0)
    version = registered(dataset, trained, settings)
    expected = predict(store, trained.made, trained.head, list(images))
    try:
        return served(version, expected, stranger.ask(place.model, version, [*images.values(), NO_PICTURE]))
    except Problem as problem:
        runs.check(place.url)
        return unserved(version, len(images), str(problem).rstrip("."))


def _sample(dataset: Dataset, store: str) -> dict[str, bytes]:
    """Take a few test images with their bytes, the same ones each time, as far as the store has them."""
    names = sorted(row.image for row in read_manifest(store, dataset.hash) if row.split is Split.TEST)[:SAMPLE]
    found = ImageStore(store).salvage(names)
    return {image: data for image, data in found if not isinstance(data, Problem)}

"""Smoke test of the packaged model: whether it answers as it was evaluated."""

from collections.abc import Iterator
from contextlib import contextmanager

from configs import schema
from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.datasets.splits import Split
from tasks.domain.gate.serving_check import (
    NO_PICTURE,
    SAMPLE,
    ServingCheck,
    check_serving,
    serving_failure,
    serving_tolerance,
)
from tasks.domain.runs.results import TrainedModel
from tasks.features.embedding import predict
from tasks.serving.probe_process import ServingProbe
from tasks.step import step
from tasks.stores.store import Store
from tasks.stores.tracking.client import check_tracking


@contextmanager
def serving_probe(settings: schema.Settings) -> Iterator[ServingProbe | None]:
    """Start a process that loads what every packaged model needs while this run embeds and trains.

    Args:
        settings: Those of the gate, the backbone and the tracking are read.

    Yields:
        The probe; None where no rule wants to know how the packaged model answers.
    """
    if not any(rule.scope == "served" for rule in settings.gate.parsed):
        yield None
        return
    with ServingProbe(settings.tracking.url, settings.backbone.engine) as probe:
        yield probe


@step(hours=2)
def smoke_test(
    dataset: Dataset, trained: TrainedModel, version: str, settings: schema.Settings, probe: ServingProbe | None
) -> ServingCheck:
    """Load a version from the registry in the serving probe, and compare its answers with the evaluation's.

    Args:
        dataset: The version whose test images are asked.
        trained: The challenger, whose stored features say what must come out.
        version: The challenger's version in the registry.
        settings: Those of the store and the tracking are read.
        probe: The process that answers; None where no rule wants to know, and nothing is asked.

    Returns:
        How many images were asked, and what is wrong; empty where nothing is.

    Raises:
        PedigreeError: MLflow itself does not answer.
    """
    if not probe:
        return ServingCheck("", 0)
    store, tracking = Store(settings.store.url), settings.tracking
    images = _sample(dataset, store)
    if not images:
        return ServingCheck("", 0)
    expected = predict(store, trained.features, trained.head, list(images))
    try:
        answers = probe.ask(tracking.model, version, [*images.values(), NO_PICTURE])
        tolerance = serving_tolerance(store.backbones.read_facts(trained.features.fingerprint))
        return check_serving(version, expected, answers, tolerance)
    except PedigreeError as problem:
        check_tracking(tracking.url)
        return serving_failure(version, len(images), str(problem).rstrip("."))


def _sample(dataset: Dataset, store: Store) -> dict[str, bytes]:
    """Take a few test images with their bytes, the same ones each time, as far as the store has them."""
    rows = store.manifests.columns(dataset.hash).of_split(Split.TEST)
    names = sorted(rows.images.to_pylist())[:SAMPLE]
    stored = store.images.salvage(names)
    return {image: data for image, data in stored if not isinstance(data, PedigreeError)}

"""Where something was used: what ``pedigree data find`` answers about an image, a version, a model or a run."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from configs.errors import AmbiguousError, SettingsError
from configs.schema import Tracking
from tasks.catalog.versions import find_model
from tasks.domain.datasets.manifest import Row
from tasks.domain.hashing import refuse_several
from tasks.domain.registry.decisions import Decision, find_champion
from tasks.stores.store import Store

_READS_AT_ONCE = 16
_HASH = re.compile(r"[0-9a-f]{4,64}")
_FLOW_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class ImageUse:
    """One image in one dataset version: under which key and label, and in which split."""

    image: str
    dataset: str
    key: str
    label: str
    split: str


@dataclass(frozen=True, slots=True)
class ModelDecision:
    """One decision about a model that was trained on a version; the Prefect run is empty where MLflow was not asked."""

    decision: int
    time: str
    outcome: str
    champion: bool
    model_version: str
    run_id: str
    dataset: str
    flow_run: str = ""
    flow_run_url: str = ""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a word means, and all that was made from it or made it.

    It is an ``image``, a ``dataset``, a ``model``, a ``backbone`` or, for a run of Prefect's, a ``night``.

    Versions come in the order of their hashes, models in that of the ledger.
    """

    word: str
    what: str
    versions: tuple[str, ...]
    images: tuple[ImageUse, ...]
    models: tuple[ModelDecision, ...]

    def to_dict(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return asdict(self)


def find(store: Store, word: str, tracking: Tracking | None = None) -> Lineage:
    """Follow a word both ways: an image to versions and models, a version to models, a model to its run.

    Args:
        store: The store that is searched.
        word: An image's hash or its first digits, a key, a version, a model version, an MLflow run, a backbone's
            fingerprint, or, where MLflow can be asked, a Prefect flow run.
        tracking: The MLflow that knows the flow runs; None where none is to be asked.

    Returns:
        What the word names, and all that is connected with it.

    Raises:
        SettingsError: The store knows none of it.
    """
    entries = store.ledger.entries()
    kind, chosen = _resolve_word(store, word, entries, tracking)
    images: tuple[ImageUse, ...] = ()
    if kind == "image":
        images = _find_uses(store, word)
        refuse_several(word, "images", {use.image for use in images if use.key != word})
        used = {use.dataset for use in images}
        chosen = [decision for decision in entries if decision.dataset in used]
    if not (images or chosen or kind == "dataset"):
        raise SettingsError(f"Nothing in {store.url} is called {word}: no image, key, version, model, backbone or run.")
    versions = {use.dataset for use in images} | {decision.dataset for decision in chosen}
    return Lineage(
        word=word,
        what=kind,
        versions=tuple(sorted(versions)) or (str(find_model(store, word)),),
        images=images,
        models=_add_flow_runs(
            tuple(_model_decision(decision, find_champion(entries)) for decision in chosen), tracking
        ),
    )


def _resolve_word(
    store: Store, word: str, entries: list[Decision], tracking: Tracking | None
) -> tuple[str, list[Decision]]:
    if _FLOW_RUN.fullmatch(word):
        return "night", [decision for decision in entries if decision.run_id in _runs_of_flow_run(word, tracking)]
    try:
        target = find_model(store, word)
    except AmbiguousError:
        raise
    except SettingsError:
        learned = _learned_on(word.lower(), entries)
        return ("backbone", learned) if learned else ("image", [])
    if isinstance(target, str):
        return "dataset", [decision for decision in entries if decision.dataset == target]
    return "model", [decision for decision in entries if decision.model == target.model]


def _learned_on(word: str, entries: list[Decision]) -> list[Decision]:
    """Return the decisions about models on the backbone whose fingerprint begins with these digits."""
    backbones = {entry.backbone for entry in entries if _HASH.fullmatch(word) and entry.backbone.startswith(word)}
    refuse_several(word, "backbones", backbones)
    return [entry for entry in entries if entry.backbone in backbones]


def _runs_of_flow_run(word: str, tracking: Tracking | None) -> list[str]:
    if tracking is None:
        raise SettingsError("Only MLflow knows which Prefect run made a model: name the settings file with -c FILE.")
    from tasks.stores.tracking.flow_runs import runs_of

    return runs_of(tracking.url, tracking.experiment, word)


def _find_uses(store: Store, word: str) -> tuple[ImageUse, ...]:
    """Read every version, also former ones: the image may have been taken away since."""
    images = sorted(store.snapshots.images_under(word))
    begin = word.lower() if _HASH.fullmatch(word.lower()) else ""
    names = sorted(store.manifests.versions())

    def rows(name: str) -> list[Row]:
        return store.manifests.find_rows(name, images, begin)

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        version_rows = list(zip(names, pool.map(rows, names), strict=True))
    return tuple(
        ImageUse(row.image, name, row.key, row.label, row.split.value) for name, part in version_rows for row in part
    )


def _model_decision(decision: Decision, serving: Decision | None) -> ModelDecision:
    serves = serving is not None and serving.model == decision.model
    return ModelDecision(
        decision.number,
        decision.time,
        decision.outcome,
        serves,
        decision.model_version,
        decision.run_id,
        decision.dataset,
    )


def _add_flow_runs(models: tuple[ModelDecision, ...], tracking: Tracking | None) -> tuple[ModelDecision, ...]:
    """Add the Prefect runs, which MLflow's runs carry as tags."""
    if tracking is None or not models:
        return models
    from tasks.stores.tracking.flow_runs import flow_runs_of

    flow_runs = flow_runs_of(tracking.url, sorted({model.run_id for model in models}))
    return tuple(
        replace(model, flow_run=flow_runs[model.run_id][0], flow_run_url=flow_runs[model.run_id][1])
        if model.run_id in flow_runs
        else model
        for model in models
    )

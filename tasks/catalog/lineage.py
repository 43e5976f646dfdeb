"""Where something was used: what ``pedigree data find`` answers about an image, a version, a model or a night."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from configs.errors import SettingsProblem
from configs.schema import Tracking
from tasks.catalog.versions import find_model
from tasks.domain.datasets.manifest import Row
from tasks.domain.registry.decisions import Decision, champion
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.manifests import read_rows_of, written
from tasks.stores.tables.snapshots import SnapshotStore

_READS_AT_ONCE = 16
_HASH = re.compile(r"[0-9a-f]{4,64}")
_FLOW_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Use:
    """One image in one dataset version: under which key and label, and in which split."""

    image: str
    dataset: str
    key: str
    label: str
    split: str


@dataclass(frozen=True, slots=True)
class Made:
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
class Found:
    """What a word means (``image``, ``dataset``, ``model`` or ``night``), and all that was made from it or made it.

    Versions come in the order of their hashes, models in that of the ledger.
    """

    word: str
    what: str
    versions: tuple[str, ...]
    images: tuple[Use, ...]
    models: tuple[Made, ...]

    def plain(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return asdict(self)


def find(store: str, word: str, place: Tracking | None = None) -> Found:
    """Follow a word both ways: an image or key to versions and models, a version to models, a model to its night.

    The word is an image's hash or its first digits, a key, a version, a model version, an MLflow run, or, where MLflow
    can be asked, a Prefect flow run. Raises SettingsProblem where the store knows none of it.
    """
    entries = Ledger(store).entries()
    what, chosen = _chosen(store, word, entries, place)
    images: tuple[Use, ...] = ()
    if what == "image":
        images = _uses(store, word)
        used = {one.dataset for one in images}
        chosen = [one for one in entries if one.dataset in used]
    if not (images or chosen or what == "dataset"):
        raise SettingsProblem(f"Nothing in {store} is called {word}: no image, key, version, model, run or night.")
    versions = {one.dataset for one in images} | {one.dataset for one in chosen}
    return Found(
        word=word,
        what=what,
        versions=tuple(sorted(versions)) or (str(find_model(store, word)),),
        images=images,
        models=_linked(tuple(_made(one, champion(entries)) for one in chosen), place),
    )


def _chosen(store: str, word: str, entries: list[Decision], place: Tracking | None) -> tuple[str, list[Decision]]:
    if _FLOW_RUN.fullmatch(word):
        return "night", [one for one in entries if one.run_id in _runs(word, place)]
    try:
        found = find_model(store, word)
    except SettingsProblem:
        return "image", []
    if isinstance(found, str):
        return "dataset", [one for one in entries if one.dataset == found]
    return "model", [one for one in entries if one.model == found.model]


def _runs(word: str, place: Tracking | None) -> list[str]:
    if place is None:
        raise SettingsProblem("Only MLflow knows which Prefect run made a model: name the settings file with -c FILE.")
    from tasks.stores.tracking import runs

    return runs.runs_of(place.url, place.experiment, word)


def _uses(store: str, word: str) -> tuple[Use, ...]:
    """Read every version, also former ones: the image may have been taken away since."""
    images = sorted(SnapshotStore(store).images_under(word))
    begin = word.lower() if _HASH.fullmatch(word.lower()) else ""
    names = sorted(written(store))

    def rows(name: str) -> list[Row]:
        return read_rows_of(store, name, images, begin)

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        found = list(zip(names, pool.map(rows, names), strict=True))
    return tuple(Use(row.image, name, row.key, row.label, row.split.value) for name, part in found for row in part)


def _made(one: Decision, serving: Decision | None) -> Made:
    serves = serving is not None and serving.model == one.model
    return Made(one.number, one.time, one.outcome, serves, one.model_version, one.run_id, one.dataset)


def _linked(models: tuple[Made, ...], place: Tracking | None) -> tuple[Made, ...]:
    """Add the Prefect runs, which MLflow's runs carry as tags."""
    if place is None or not models:
        return models
    from tasks.stores.tracking import runs

    known = runs.flow_runs(place.url, sorted({one.run_id for one in models}))
    return tuple(
        replace(one, flow_run=known[one.run_id][0], flow_run_url=known[one.run_id][1]) if one.run_id in known else one
        for one in models
    )

"""Looking at model versions: what ``pedigree model list``, ``show`` and ``why`` answer, from the store alone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from configs.schema import Tracking
from tasks.domain.datasets.version_diff import diff_versions
from tasks.domain.gate.live_disagreement import LiveDisagreement
from tasks.domain.registry.decisions import Decision, find_hold, find_last_decision, find_rival, resolve_aliases
from tasks.stores.store import Store


@dataclass(frozen=True, slots=True)
class Model:
    """One model in a line: its last decision, and what it is now (champion, challenger, previous, held).

    ``version`` is its present number in MLflow, as far as the ledger knows; ``head`` tells models apart that share a
    number.
    """

    version: str
    time: str
    outcome: str
    person: str
    roles: tuple[str, ...]
    dataset: str
    figures: Mapping[str, float]
    head: str


@dataclass(frozen=True, slots=True)
class Models:
    """Every model version that the ledger knows, the newest last."""

    store: str
    models: tuple[Model, ...]

    def to_dict(self) -> dict[str, Any]:
        """Turn the list into what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """What one version was made of, and what it is now; ``code`` and ``settings`` are those of its record.

    ``package`` says how its files in MLflow stand, and ``alarm`` where they are others than were registered; ``live``
    is how often it differs from the champion on live photographs, where MLflow tells.
    """

    model: Model
    head: str
    backbone: str
    recipe: str
    run_id: str
    code: Mapping[str, Any]
    settings: Mapping[str, Any]
    package: str = ""
    alarm: str = ""
    live: LiveDisagreement | None = None

    def to_dict(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return {**asdict(self), "live": self.live.to_dict() if self.live else None}


@dataclass(frozen=True, slots=True)
class DataDiff:
    """What the version learned from beside the dataset version before: images by class, and labels that changed.

    ``parent`` is None where nothing came before.
    """

    parent: str | None
    dataset: str
    images: int
    added: Mapping[str, int]
    removed: Mapping[str, int]
    relabelled: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ModelHistory:
    """Why a version serves, served or never did: its data, what the gate looked at, and every decision about it."""

    model: Model
    data: DataDiff
    judged_against: str | None
    rules: tuple[Mapping[str, Any], ...]
    decisions: tuple[Decision, ...]

    def to_dict(self) -> dict[str, Any]:
        """Turn the story into what JSON can hold."""
        return asdict(self)


def models(store: Store) -> Models:
    """List the model versions of a store; raise PedigreeError where there is no store."""
    entries = _entries(store)
    latest = [find_last_decision(entries, model) for model in dict.fromkeys(decision.model for decision in entries)]
    return Models(store.url, tuple(_summarize_model(decision, entries) for decision in latest))


def show(store: Store, word: str, tracking: Tracking | None = None) -> ModelDetails:
    """Describe what a model version was made of and, where MLflow is named, whether it serves what was registered.

    Args:
        store: The store that holds the ledger and the record.
        word: A model version, ``champion``, an MLflow run, or the beginning of a head's hash.
        tracking: The MLflow whose files are compared; None compares none.

    Returns:
        The model's record; its alarm is empty where nothing is wrong or nothing was compared.
    """
    entries = _entries(store)
    decision = store.ledger.named(word)
    record = store.records.read(decision.head, decision.dataset)
    package, alarm = _package_state(store, decision, tracking)
    return ModelDetails(
        model=_summarize_model(decision, entries),
        package=package,
        alarm=alarm,
        live=_read_live(entries, decision, tracking),
        head=decision.head,
        backbone=decision.backbone,
        recipe=decision.recipe,
        run_id=decision.run_id,
        code=record.code,
        settings=record.settings,
    )


def _package_state(store: Store, decision: Decision, tracking: Tracking | None) -> tuple[str, str]:
    """Say how the model's files in MLflow stand; where the settings name no MLflow, they are not looked at."""
    if tracking is None:
        return "not compared: only -c FILE says which MLflow serves", ""
    # What looks into the store alone does not load MLflow.
    from tasks.serving.served_package import compare_package

    served = compare_package(store, tracking, decision, every_file=True)
    return str(served), served.alarm


def _read_live(entries: Sequence[Decision], decision: Decision, tracking: Tracking | None) -> LiveDisagreement | None:
    if tracking is None:
        return None
    from tasks.serving.live_agreement import Network, read_live_disagreement

    return read_live_disagreement(tracking.url, entries, Network(decision.backbone, decision.head))


def why(store: Store, word: str) -> ModelHistory:
    """Describe the history of a model version: its data, its rules, and who decided what about it.

    Args:
        store: The store that holds the ledger.
        word: A model version, ``champion``, an MLflow run, or the beginning of a head's hash.

    Returns:
        The history, the oldest decision first.
    """
    entries = _entries(store)
    last = store.ledger.named(word)
    about = [decision for decision in entries if decision.model == last.model]
    judged, rival = [decision for decision in about if decision.decided_by_gate][-1], find_rival(entries, last)
    against = rival.model_version if rival else None
    return ModelHistory(
        _summarize_model(last, entries), _data_diff(store, last.dataset), against, tuple(judged.rules), tuple(about)
    )


def _entries(store: Store) -> list[Decision]:
    store.objects.check()
    store.check_format()
    return store.ledger.entries()


def _summarize_model(decision: Decision, entries: list[Decision]) -> Model:
    roles = [alias for alias, named in resolve_aliases(entries).items() if named and named.model == decision.model]
    hold = find_hold(entries, decision.head)
    roles += ["held"] if hold else []
    facts = (decision.model_version, decision.time, decision.outcome, decision.person)
    return Model(*facts, tuple(roles), decision.dataset, decision.figures, decision.head)


def _data_diff(store: Store, dataset: str) -> DataDiff:
    parent = (store.data_cards.read(dataset) or {}).get("parent")
    rows = store.manifests.columns(dataset)
    difference = diff_versions(store.manifests.columns(parent) if parent else (), rows)
    return DataDiff(
        parent=parent,
        dataset=dataset,
        images=len(rows),
        added=_count(row.label for row in difference.added),
        removed=_count(row.label for row in difference.removed),
        relabelled=_count(f"{pair.before.label} -> {pair.after.label}" for pair in difference.relabelled),
    )


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))

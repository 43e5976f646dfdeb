"""Looking at dataset versions: what ``pedigree data list``, ``show``, ``diff`` and ``rejects`` answer."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from configs.errors import AmbiguousError, InaccessibleError, PedigreeError, ServiceUnavailableError, SettingsError
from tasks.domain.datasets.data_card import build_class_cards
from tasks.domain.datasets.exclusions import WAITING, Excluded, list_doubtful, list_excluded, list_rejected
from tasks.domain.datasets.image_issues import ImageName, report_contradictions
from tasks.domain.datasets.version_diff import LATEST, VersionDiff, diff_versions, resolve_version, sort_versions
from tasks.domain.evaluation.misclassifications import PredictionFlips
from tasks.domain.registry.decisions import Decision
from tasks.stores.store import Store

_READS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Version:
    """One dataset version in a line; ``problem`` says why its manifest cannot be read, and is empty when it can."""

    hash: str
    written: str
    images: int
    classes: int
    decisions: tuple[Mapping[str, Any], ...]
    champion: bool
    problem: str


@dataclass(frozen=True, slots=True)
class Versions:
    """Every dataset version of a store, the newest last."""

    store: str
    versions: tuple[Version, ...]

    def to_dict(self) -> dict[str, Any]:
        """Turn the list into what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class VersionDetails:
    """What one version holds; a version whose run died early has no parent and no warnings written down."""

    dataset: str
    parent: str | None
    images: int
    classes: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]
    decisions: tuple[Mapping[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Turn the version into what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """Two versions, and what differs; with two models also their model versions and which answers flipped."""

    before: str
    after: str
    difference: VersionDiff
    models: tuple[str, str] | None = None
    flips: PredictionFlips | None = None

    def to_dict(self) -> dict[str, Any]:
        """Turn the comparison into what JSON can hold."""
        comparison = {"models": self.models, "predictions": self.flips.to_dict()} if self.flips else {}
        return {"before": self.before, "after": self.after, **self.difference.to_dict(), **comparison}


@dataclass(frozen=True, slots=True)
class Rejects:
    """What is in no version, or, where a version is named, not in that one; and the classes that wait.

    ``passed_over`` counts what was no object at all when the version was made: bins, caches, links, half uploads.
    """

    dataset: str | None
    absent: tuple[Excluded, ...]
    waiting: tuple[str, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Turn the list into what JSON can hold."""
        return asdict(self)


def versions(store: Store) -> Versions:
    """List the versions of a store; raise PedigreeError where there is none."""
    times, decisions = _check_store(store).manifests.versions(), store.ledger.entries()
    champion = decisions[-1].champion if decisions else None
    names = _in_order(store, times, decisions)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return Versions(
            store.url, tuple(pool.map(partial(_describe_version, store, times, decisions, champion), names))
        )


def find_version(store: Store, word: str) -> str:
    """Return the full hash of the version that a person means.

    Args:
        store: The store that holds the versions.
        word: A hash or the first digits of it, or ``latest``.

    Returns:
        64 hex digits.
    """
    times = _check_store(store).manifests.versions()
    # Only the order asks the ledger: a hash finds its version also where a file of the ledger is damaged.
    return resolve_version(word, _in_order(store, times, store.ledger.entries() if word == LATEST else []))


def show(store: Store, word: str) -> VersionDetails:
    """Count what a version holds, and repeat what its data card warns of.

    Args:
        store: The store that holds the version.
        word: A hash or the first digits of it, or ``latest``.

    Returns:
        Its classes by split, its warnings, and what was decided about it.
    """
    name = find_version(store, word)
    rows, card = store.manifests.columns(name), store.data_cards.read(name) or {}
    classes = tuple(asdict(class_card) for class_card in build_class_cards(rows))
    about = _decisions_about(name, store.ledger.entries())
    return VersionDetails(name, card.get("parent"), len(rows), classes, tuple(card.get("warnings", ())), about)


def find_model(store: Store, word: str) -> str | Decision:
    """Return the version whose hash a person names, or the last decision about the model that they name.

    Args:
        store: The store that is searched.
        word: A version or a model; what could be both, such as 2026, is a version.

    Returns:
        The version's hash, or the decision about the model.

    Raises:
        SettingsError: It is neither.
        AmbiguousError: Its digits fit several.
    """
    try:
        return find_version(store, word)
    except AmbiguousError:
        raise
    except SettingsError as no_version:
        try:
            return store.ledger.named(word)
        except SettingsError as no_model:
            raise SettingsError(f"{no_version} {no_model}") from None


def diff(store: Store, before: str, after: str) -> VersionComparison:
    """Compare two versions, or two models with their predictions about the test images that both versions hold.

    Args:
        store: The store that holds them.
        before: A version, a model version, or an MLflow run.
        after: The same of what came later.

    Returns:
        What was added, removed and changed; between models also whose predictions flipped.
    """
    targets = [find_model(store, word) for word in (before, after)]
    first, second = (target if isinstance(target, str) else target.dataset for target in targets)
    difference = diff_versions(store.manifests.columns(first), store.manifests.columns(second))
    models = [target for target in targets if not isinstance(target, str)]
    if len(models) < len(targets):
        return VersionComparison(first, second, difference)
    from tasks.evaluation.diff_models import Model, compare_predictions

    old, new = (Model(target.head, target.dataset) for target in models)
    versions = (models[0].model_version, models[1].model_version)
    return VersionComparison(first, second, difference, versions, compare_predictions(store, old, new))


def rejects(store: Store, word: str | None) -> Rejects:
    """List what the sources hold and a version does not, each with its reason.

    Args:
        store: The store that holds versions and rejections.
        word: A version; None, and ``latest`` where there is no version yet, asks for what the latest labellings could
            not use.

    Returns:
        What was rejected, held back and passed over.

    Raises:
        PedigreeError: The version has no data card.
    """
    snapshots = _check_store(store).snapshots
    absent = [reject for source in snapshots.sources() for reject in list_rejected(source, snapshots.rejected(source))]
    if word is None or (word == LATEST and not store.manifests.versions()):
        latest = [labels for source in snapshots.sources() if (labels := store.labellings.latest(source))]
        if word is not None and not latest:
            _in_order(store, {}, [])
        held = [
            reject for labels in latest for reject in _rejects_of_labelling(store, labels, waiting=word is not None)
        ]
        return Rejects(None, (*absent, *held), (), {})
    name = find_version(store, word)
    card = store.data_cards.read(name)
    if card is None:
        raise PedigreeError(f"Version {name[:12]} has no data card, since its run died: run pedigree retrain again.")
    waiting = tuple(card["waiting"])
    held = list_excluded(store.labellings.read(card["labels"]), store.manifests.columns(name), waiting)
    # Cards from before it was counted do not say what was passed over.
    return Rejects(
        name, (*absent, *held, *list_doubtful(card.get("findings", ()))), waiting, card.get("passed_over", {})
    )


def _rejects_of_labelling(store: Store, labels: str, *, waiting: bool) -> list[Excluded]:
    labelling = store.labellings.read(labels)
    images = {entry.image: ImageName(entry.key, entry.label) for entry in labelling.labelled}
    twins = store.labellings.read_twins(labels).get("labels", ())
    findings = [asdict(entry) for entry in report_contradictions(twins, images, set(images))]
    held = [entry for entry in list_excluded(labelling, (), ()) if waiting or entry.reason != WAITING]
    return [*held, *list_doubtful(findings)]


def _check_store(store: Store) -> Store:
    store.objects.check()
    store.check_format()
    return store


def _in_order(store: Store, times: Mapping[str, str], decisions: list[Decision]) -> list[str]:
    if not times:
        raise PedigreeError(f"The store {store.url} holds no dataset version: pedigree retrain makes one.")
    return sort_versions(times, {decision.dataset: decision.time for decision in reversed(decisions)})


def _describe_version(
    store: Store, times: Mapping[str, str], decisions: list[Decision], champion: int | None, name: str
) -> Version:
    about = _decisions_about(name, decisions)
    serves = any(decision["number"] == champion for decision in about)
    try:
        images, classes = store.manifests.count(name)
    except (ServiceUnavailableError, InaccessibleError):
        raise
    except PedigreeError as problem:
        return Version(name, times[name], 0, 0, about, serves, str(problem))
    return Version(name, times[name], images, classes, about, serves, "")


def _decisions_about(name: str, decisions: list[Decision]) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {"number": decision.number, "outcome": decision.outcome, "time": decision.time, "reason": decision.reason}
        for decision in decisions
        if decision.dataset == name
    )

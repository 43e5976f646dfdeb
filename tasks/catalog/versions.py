"""Looking at dataset versions: what ``pedigree data list``, ``show``, ``diff`` and ``rejects`` answer."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from configs.errors import Inaccessible, Outage, Problem, SettingsProblem
from tasks.domain.datasets.contradictions import Named, alike_under_two_labels
from tasks.domain.datasets.data_card import class_cards
from tasks.domain.datasets.exclusions import WAITING, Absent, doubtful, left_out, rejected
from tasks.domain.datasets.version_diff import LATEST, Difference, compare, in_order, resolve
from tasks.domain.evaluation.misclassifications import Flips
from tasks.domain.registry.decisions import Decision
from tasks.stores.files.format_version import check_format
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.manifests import latest_labelling, read_card, read_labels, read_manifest, read_twins, written
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.tables.snapshots import SnapshotStore

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

    def plain(self) -> dict[str, Any]:
        """Turn the list into what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Shown:
    """What one version holds; a version whose night died early has no parent and no warnings written down."""

    dataset: str
    parent: str | None
    images: int
    classes: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...]
    decisions: tuple[Mapping[str, Any], ...]

    def plain(self) -> dict[str, Any]:
        """Turn the version into what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Compared:
    """Two versions, and what differs; with two models also their model versions and which answers flipped."""

    before: str
    after: str
    difference: Difference
    models: tuple[str, str] | None = None
    flips: Flips | None = None

    def plain(self) -> dict[str, Any]:
        """Turn the comparison into what JSON can hold."""
        asked = {"models": self.models, "predictions": self.flips.plain()} if self.flips else {}
        return {"before": self.before, "after": self.after, **self.difference.plain(), **asked}


@dataclass(frozen=True, slots=True)
class Rejects:
    """What is in no version, or, where a version is named, not in that one; and the classes that wait.

    ``passed_over`` counts what was no object at all when the version was made: bins, caches, links, half uploads.
    """

    dataset: str | None
    absent: tuple[Absent, ...]
    waiting: tuple[str, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Turn the list into what JSON can hold."""
        return asdict(self)


def versions(store: str) -> Versions:
    """List the versions of a store; raise Problem where there is none."""
    times, decisions = written(_existing(store)), Ledger(store).entries()
    champion = decisions[-1].champion if decisions else None
    names = _in_order(store, times, decisions)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return Versions(store, tuple(pool.map(partial(_version, store, times, decisions, champion), names)))


def find_version(store: str, word: str) -> str:
    """Return the full hash of the version that a person means."""
    times = written(_existing(store))
    # Only the order asks the ledger: a hash finds its version also where a file of the ledger is damaged.
    return resolve(word, _in_order(store, times, Ledger(store).entries() if word == LATEST else []))


def show(store: str, word: str) -> Shown:
    """Count what a version holds, and repeat what its data card warns of."""
    name = find_version(store, word)
    rows, card = read_manifest(store, name), read_card(store, name) or {}
    classes = tuple(asdict(one) for one in class_cards(rows))
    about = _about(name, Ledger(store).entries())
    return Shown(name, card.get("parent"), len(rows), classes, tuple(card.get("warnings", ())), about)


def find_model(store: str, word: str) -> str | Decision:
    """Return the version whose hash a person names, or the last decision about the model that they name.

    Where a word could be both, such as 2026, it is the hash; raises SettingsProblem where it is neither.
    """
    try:
        return find_version(store, word)
    except SettingsProblem as no_version:
        try:
            return Ledger(store).named(word)
        except SettingsProblem as no_model:
            raise SettingsProblem(f"{no_version} {no_model}") from None


def diff(store: str, before: str, after: str) -> Compared:
    """Compare two versions, or two models with their answers about the test images that both versions hold."""
    found = [find_model(store, word) for word in (before, after)]
    first, second = (one if isinstance(one, str) else one.dataset for one in found)
    difference = compare(read_manifest(store, first), read_manifest(store, second))
    models = [one for one in found if not isinstance(one, str)]
    if len(models) < len(found):
        return Compared(first, second, difference)
    from tasks.evaluation.diff_models import Model, flips_between

    old, new = (Model(one.head, one.dataset) for one in models)
    versions = (models[0].model_version, models[1].model_version)
    return Compared(first, second, difference, versions, flips_between(store, old, new))


def rejects(store: str, word: str | None) -> Rejects:
    """List what the sources hold and no version can; with a version also what its labelling held and it does not.

    Without one, and where there is none yet, it is what the latest labellings could not use, and what contradicts.
    """
    snapshots = SnapshotStore(_existing(store))
    absent = [one for source in snapshots.sources() for one in rejected(source, snapshots.rejected(source))]
    if word is None or (word == LATEST and not written(store)):
        latest = [labels for source in snapshots.sources() if (labels := latest_labelling(store, source))]
        if word is not None and not latest:
            _in_order(store, {}, [])
        held = [one for labels in latest for one in _of_labelling(store, labels, waiting=word is not None)]
        return Rejects(None, (*absent, *held), (), {})
    name = find_version(store, word)
    card = read_card(store, name)
    if card is None:
        raise Problem(f"Version {name[:12]} has no data card, since its night died: run pedigree retrain again.")
    waiting = tuple(card["waiting"])
    held = left_out(read_labels(store, card["labels"]), read_manifest(store, name), waiting)
    # Cards from before it was counted do not say what was passed over.
    return Rejects(name, (*absent, *held, *doubtful(card.get("findings", ()))), waiting, card.get("passed_over", {}))


def _of_labelling(store: str, labels: str, *, waiting: bool) -> list[Absent]:
    labelling = read_labels(store, labels)
    images = {one.image: Named(one.key, one.label) for one in labelling.labelled}
    twins = read_twins(store, labels).get("labels", ())
    found = [asdict(one) for one in alike_under_two_labels(twins, images, set(images))]
    held = [one for one in left_out(labelling, (), ()) if waiting or one.reason != WAITING]
    return [*held, *doubtful(found)]


def _existing(store: str) -> str:
    open_bucket(store).check()
    check_format(store)
    return store


def _in_order(store: str, times: Mapping[str, str], decisions: list[Decision]) -> list[str]:
    if not times:
        raise Problem(f"The store {store} holds no dataset version: pedigree retrain makes one.")
    return in_order(times, {one.dataset: one.time for one in reversed(decisions)})


def _version(
    store: str, times: Mapping[str, str], decisions: list[Decision], champion: int | None, name: str
) -> Version:
    about = _about(name, decisions)
    serves = any(one["number"] == champion for one in about)
    try:
        rows = read_manifest(store, name)
    except (Outage, Inaccessible):
        raise
    except Problem as problem:
        return Version(name, times[name], 0, 0, about, serves, str(problem))
    return Version(name, times[name], len(rows), len({row.label for row in rows}), about, serves, "")


def _about(name: str, decisions: list[Decision]) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {"number": one.number, "outcome": one.outcome, "time": one.time, "reason": one.reason}
        for one in decisions
        if one.dataset == name
    )

"""Whether MLflow serves, as champion, the files that were packaged when it was registered."""

from dataclasses import dataclass

from configs import schema
from configs.errors import Outage, Problem
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.phrasing import listed
from tasks.domain.registry.decisions import Decision
from tasks.stores.files.weights import read_backbone, read_head
from tasks.stores.tracking import packages, registry
from tasks.stores.tracking.packages import BACKBONE, Files

# What decides which code runs and what it answers; each night asks for no more where MLflow is a server.
_FEW = ("MLmodel", "model.py", "artifacts/head.npz", "artifacts/model.json")
_HEAD = "artifacts/head.npz"
_NAMED = 5


@dataclass(frozen=True, slots=True)
class ServedPackage:
    """What came of comparing: an alarm where files are not those that were registered, else what there is to say."""

    alarm: str = ""
    note: str = ""

    def __str__(self) -> str:
        """Say it in one line."""
        return self.alarm or self.note or "as they were registered"


def check_champion(store: str, place: schema.Tracking, one: Decision, *, whole: bool) -> ServedPackage:
    """Compare the files of the version that serves; those of an earlier Pedigree are taken on trust once, and kept.

    Files that MLflow does not let us read hold up nothing, and are said. Raises Outage where it does not answer.
    """
    try:
        return _checked(store, place, one, whole=whole)
    except Outage:
        raise
    except Problem as problem:
        return ServedPackage(note=f"the champion's files in MLflow cannot be compared: {str(problem).rstrip('.')}")


def _checked(store: str, place: schema.Tracking, one: Decision, *, whole: bool) -> ServedPackage:
    if packages.kept_packages(store, one.head, one.dataset):
        return compare_package(store, place, one, whole=whole)
    version = registry.version_of(place.url, place.model, one)
    # Where MLflow lost it, whoever follows the ledger says so and registers it again.
    return _trusted(store, place, one, version.number) if version else ServedPackage()


def compare_package(store: str, place: schema.Tracking, one: Decision, *, whole: bool) -> ServedPackage:
    """Hold the files of a decision's version in MLflow against those that were packaged.

    Args:
        store: The store that holds what was packaged.
        place: The MLflow that serves.
        one: The last decision about the model.
        whole: Compare every file, also the large one, and where MLflow is a server and each has to be fetched.

    Returns:
        An alarm that names the files and the way out; or a note, where an earlier Pedigree registered the version.
    """
    version = registry.version_of(place.url, place.model, one)
    if version is None:
        return ServedPackage(note="MLflow does not hold them")
    kept = packages.kept_packages(store, one.head, one.dataset)
    wanted = [kept[one.package]] if one.package in kept and len(kept) == 1 else list(kept.values())
    if not wanted:
        return ServedPackage(note="unknown, since an earlier Pedigree registered it")
    served = packages.served_files(place.url, place.model, version.number, () if whole else _FEW)
    differing = min((_differing(files, served, whole=whole) for files in wanted), key=len)
    return ServedPackage(_alarm(version.number, differing) if differing else "")


def _differing(files: Files, served: Files, *, whole: bool) -> list[str]:
    """Name the files that are others, are gone, or came later; of a few that were asked for only these count."""
    asked = {*files, *served} if whole else {*files, *served} - {BACKBONE}
    if not whole and len(served) <= len(_FEW):
        asked = set(_FEW) & set(files)
    return sorted(name for name in asked if files.get(name) != served.get(name))


def _trusted(store: str, place: schema.Tracking, one: Decision, number: str) -> ServedPackage:
    """Take a package of an earlier Pedigree on trust, where at least its weights are the store's."""
    served = packages.served_files(place.url, place.model, number)
    weights = {_HEAD: read_head(store, one.head), BACKBONE: read_backbone(store, one.backbone)[0]}
    differing = [name for name, data in weights.items() if served.get(name) != sha256_of_bytes(data)]
    if differing:
        return ServedPackage(_alarm(number, differing))
    packages.keep_package(store, one.head, one.dataset, served)
    note = f"the files of version {number} in MLflow had no checksum yet, got one today and are taken on trust"
    return ServedPackage(note=note)


def _alarm(number: str, names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return (
        f"ALARM: MLflow serves version {number} with other files than were registered, {listed(names[:_NAMED])}{more}: "
        "whoever serves it runs them. Put MLflow's artifacts back from a copy, or delete that version in MLflow, and "
        "the next night registers it again from the store"
    )

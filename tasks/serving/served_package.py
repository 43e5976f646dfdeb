"""Whether MLflow serves, as champion, the files that were packaged when it was registered."""

from dataclasses import dataclass

from configs import schema
from configs.errors import PedigreeError, ServiceUnavailableError
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.phrasing import list_names
from tasks.domain.registry.decisions import Decision
from tasks.stores.store import Store
from tasks.stores.tracking import packages, registry
from tasks.stores.tracking.packages import BACKBONE, GRAPH, Files

# What decides which code runs and what it answers; each run asks for no more where MLflow is a server.
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


def check_champion(store: Store, tracking: schema.Tracking, decision: Decision, *, every_file: bool) -> ServedPackage:
    """Compare the files of the version that serves with those that were packaged.

    Those of an earlier Pedigree, which kept no hashes, are taken on trust once, and kept.

    Args:
        store: The store that holds what was packaged.
        tracking: The MLflow that serves.
        decision: The decision that made the champion.
        every_file: Compare every file, also the large one, and where MLflow is a server and each has to be fetched.

    Returns:
        An alarm, or a note; files that MLflow does not let us read are noted and hold up nothing.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    try:
        return _compare_or_trust(store, tracking, decision, every_file=every_file)
    except ServiceUnavailableError:
        raise
    except PedigreeError as problem:
        return ServedPackage(note=f"the champion's files in MLflow cannot be compared: {str(problem).rstrip('.')}")


def _compare_or_trust(
    store: Store, tracking: schema.Tracking, decision: Decision, *, every_file: bool
) -> ServedPackage:
    if store.packages.read(decision.head, decision.dataset):
        return compare_package(store, tracking, decision, every_file=every_file)
    version = registry.version_of(tracking.url, tracking.model, decision)
    # Where MLflow lost it, whoever follows the ledger says so and registers it again.
    return _take_on_trust(store, tracking, decision, version.number) if version else ServedPackage()


def compare_package(store: Store, tracking: schema.Tracking, decision: Decision, *, every_file: bool) -> ServedPackage:
    """Hold the files of a decision's version in MLflow against those that were packaged.

    Args:
        store: The store that holds what was packaged.
        tracking: The MLflow that serves.
        decision: The last decision about the model.
        every_file: Compare every file, also the large one, and where MLflow is a server and each has to be fetched.

    Returns:
        An alarm that names the files and the way out; or a note, where an earlier Pedigree registered the version.
    """
    version = registry.version_of(tracking.url, tracking.model, decision)
    if version is None:
        return ServedPackage(note="MLflow does not hold them")
    recorded = store.packages.read(decision.head, decision.dataset)
    expected = (
        [recorded[decision.package]] if decision.package in recorded and len(recorded) == 1 else list(recorded.values())
    )
    if not expected:
        return ServedPackage(note="unknown, since an earlier Pedigree registered it")
    served = packages.served_files(tracking.url, tracking.model, version.number, () if every_file else _FEW)
    differing = min((_differing_files(files, served, every_file=every_file) for files in expected), key=len)
    return ServedPackage(_alarm(version.number, differing) if differing else "")


def _differing_files(files: Files, served: Files, *, every_file: bool) -> list[str]:
    """Name the files that are others, are gone, or came later; of a few that were asked for only these count."""
    names = {*files, *served} if every_file else {*files, *served} - {BACKBONE, GRAPH}
    if not every_file and len(served) <= len(_FEW):
        names = set(_FEW) & set(files)
    return sorted(name for name in names if files.get(name) != served.get(name))


def _take_on_trust(store: Store, tracking: schema.Tracking, decision: Decision, number: str) -> ServedPackage:
    """Take a package of an earlier Pedigree on trust, where at least its weights are the store's."""
    served = packages.served_files(tracking.url, tracking.model, number)
    weights = {
        _HEAD: store.heads.read(decision.head),
        BACKBONE: store.backbones.read(decision.backbone)[0],
    }
    differing = [name for name, data in weights.items() if served.get(name) != sha256_of_bytes(data)]
    if differing:
        return ServedPackage(_alarm(number, differing))
    store.packages.write(decision.head, decision.dataset, served)
    note = f"the files of version {number} in MLflow had no checksum yet, got one today and are taken on trust"
    return ServedPackage(note=note)


def _alarm(number: str, names: list[str]) -> str:
    files = list_names(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
    return (
        f"ALARM: MLflow serves version {number} with other files than were registered, {files}: "
        "whoever serves it runs them. Put MLflow's artifacts back from a copy, or delete that version in MLflow, and "
        "the next run registers it again from the store"
    )

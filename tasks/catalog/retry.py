"""Having rejected objects examined again: what ``pedigree data retry`` does."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from configs.errors import SettingsError
from configs.gate_rules import nearest
from tasks.domain.images.rejections import Reason
from tasks.stores.files.format_version import check_format
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.tables.snapshots import SnapshotStore

# Whoever removed an image for good is not asked again by whoever types a command.
_RELEASABLE = frozenset(Reason) - {Reason.FORGOTTEN}


@dataclass(frozen=True, slots=True)
class ReleasedRejects:
    """How many objects of each reason the next retraining examines again."""

    store: str
    released: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Turn the answer into what JSON can hold."""
        return asdict(self)


def retry(store: str, word: str | None) -> ReleasedRejects:
    """Release what the sources hold and was rejected for a reason, or for any; an image removed for good stays out.

    Raises:
        SettingsError: There is no such reason, or none that a person may undo here.
        PedigreeError: There is no such store.
    """
    reasons = _RELEASABLE if word is None else {_reason(word)}
    open_bucket(store).check()
    check_format(store)
    snapshots = SnapshotStore(store)
    counts: Counter[Reason] = Counter()
    for source in snapshots.sources():
        counts += snapshots.release(source, reasons)
    return ReleasedRejects(store, {reason.value: number for reason, number in sorted(counts.items())})


def _reason(word: str) -> Reason:
    if word == Reason.FORGOTTEN:
        raise SettingsError(f"What is {word} stays so: pedigree data retry takes every other reason.")
    try:
        return Reason(word)
    except ValueError:
        raise SettingsError(f"There is no reason {word!r}: {nearest(word, _RELEASABLE)}.") from None

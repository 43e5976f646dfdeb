"""What the gate asks of the data themselves: images of each class, classes lost, conflicts, and drift."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.domain.datasets.label_issue_counts import LabelIssues
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split


@dataclass(frozen=True, slots=True)
class DatasetDrift:
    """Images by class that are not held out; classes that only the champion knows; the share of contradictory images.

    Those have two labels, or near duplicates under another label. Drift is how far the mixture is from the parent
    version's, of classes or of the attribute that ``drifted`` names: the total variation distance, from 0 (the same
    shares) to 1 (nothing in common); None without a parent.
    The labels that the features speak against are counted by class.
    """

    images: Mapping[str, int]
    lost: tuple[str, ...]
    conflicts: float
    drift: float | None
    drifted: str
    label_issues: LabelIssues = field(default_factory=LabelIssues)


def measure_drift(
    rows: Sequence[Row], parent: Sequence[Row], lost: Sequence[str], conflicts: int, contradictory: int = 0
) -> DatasetDrift:
    """Look at a dataset version beside its parent.

    Args:
        rows: The version's.
        parent: The parent version's.
        lost: Classes that only the champion knows.
        conflicts: So many images are under two labels, which keeps them out of the version.
        contradictory: So many images of the version are near duplicates of others under another label.
    """
    used = [row for row in rows if row.split is not Split.HELD_OUT]
    drift, drifted = _drift(used, [row for row in parent if row.split is not Split.HELD_OUT])
    return DatasetDrift(
        images=dict(sorted(Counter(row.label for row in used).items())),
        lost=tuple(lost),
        conflicts=(conflicts + contradictory) / max(len(rows) + conflicts, 1),
        drift=drift,
        drifted=drifted,
    )


def _drift(rows: Sequence[Row], parent: Sequence[Row]) -> tuple[float | None, str]:
    if not (rows and parent):
        return None, ""
    names = {name for row in (*rows, *parent) for name, _ in row.attributes}
    distances = {"classes": _distance(*(Counter(row.label for row in version_rows) for version_rows in (rows, parent)))}
    for name in names:
        distances[name] = _distance(
            *(Counter(dict(row.attributes).get(name, "") for row in version_rows) for version_rows in (rows, parent))
        )
    furthest = max(sorted(distances), key=distances.__getitem__)
    return distances[furthest], furthest


def _distance(counts: Counter[str], parent_counts: Counter[str]) -> float:
    """Halve the sum of the absolute differences of the shares."""
    return (
        sum(
            abs(counts[name] / counts.total() - parent_counts[name] / parent_counts.total())
            for name in {*counts, *parent_counts}
        )
        / 2
    )

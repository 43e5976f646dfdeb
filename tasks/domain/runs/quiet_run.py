"""A quiet run: one that finds nothing to do, and so ends as the run before it has foreseen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from tasks.domain.datasets.manifest import Dataset
from tasks.domain.ingestion.source_objects import IngestSummary
from tasks.domain.labels.results import Labels
from tasks.domain.runs.results import RunData


@dataclass(frozen=True, slots=True)
class QuietRun:
    """What a run comes to that finds nothing to do.

    Attributes:
        data: The listing's images, their labels and the dataset version.
        words: What the run adds to its reason, such as which version waits for a person.
        card: What the run log says of the data card; empty where the run writes none.
        files: The ETags of the files that must still be in the store, by their keys.
    """

    data: RunData
    words: tuple[str, ...] = ()
    card: str = ""
    files: Mapping[str, str] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "QuietRun":
        """Build it again from what ``to_dict`` made of it, also after it was JSON."""
        data = facts["data"]
        ingested, dataset = data["ingested"], data["dataset"]
        passed_over = tuple((name, number) for name, number in ingested["passed_over"])
        known = RunData(
            IngestSummary(**{**ingested, "passed_over": passed_over}),
            Labels.from_dict(data["labels"]),
            Dataset(**{**dataset, "classes": tuple(dataset["classes"]), "waiting": tuple(dataset["waiting"])}),
        )
        return cls(known, tuple(facts["words"]), facts["card"], facts["files"])


def foresee(data: RunData, *, done: bool) -> RunData:
    """Return the data of a next run that finds the same photographs.

    Args:
        data: The data of this run.
        done: Whether the gate has decided about this version under these settings.

    Returns:
        The data, with nothing fetched; unchanged where the gate has decided.
    """
    ingested = replace(data.ingested, fetched=0, new=0, rejected=0)
    dataset = replace(data.dataset, state="unchanged", reason="nothing new to learn from", contradictory=0)
    return RunData(ingested, data.labels, dataset if done else data.dataset)

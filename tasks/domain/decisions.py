"""The ledger's entries, and what they say together: who serves, who served before, what is held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Decided = Literal["promoted", "rejected", "needs-approval", "rolled-back", "held", "lifted"]
_BY_THE_GATE = ("promoted", "rejected", "needs-approval")


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry: what was decided about which model, and which entry's model is champion from then on.

    ``against`` is the entry of the champion until then. ``person`` and ``why`` are empty where the gate decided alone;
    ``figures`` are those of the evaluation that it looked at.
    """

    number: int
    time: str
    outcome: Decided
    champion: int | None
    against: int | None
    dataset: str
    recipe: str
    backbone: str
    head: str
    run_id: str
    model_version: str
    reason: str
    rules: Sequence[Mapping[str, Any]]
    person: str = ""
    why: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """Say what was decided, and who did if that was a person."""
        by = f" by {self.person}" if self.person else ""
        return f"decision {self.number}, version {self.model_version} {self.outcome}{by}"

    @property
    def by_the_gate(self) -> bool:
        """Tell whether the rules decided, at the end of a night, and no person."""
        return self.outcome in _BY_THE_GATE and not self.person


def champion(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry whose model serves; None before there is one."""
    return _numbered(entries, entries[-1].champion) if entries else None


def previous(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry of the model that the champion replaced; None where it is the first one."""
    serving = champion(entries)
    former = _numbered(entries, serving.against) if serving else None
    # A night that was forced may promote the champion once more.
    while serving and former and former.model_version == serving.model_version:
        former = _numbered(entries, former.against)
    return former


def challenger(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry of the model that was judged last, where it was not promoted."""
    judged = [one for one in entries if one.outcome in _BY_THE_GATE]
    return judged[-1] if judged and judged[-1].outcome != "promoted" else None


def waiting(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry of the model that waits for a person's word, unless somebody holds it."""
    last = challenger(entries)
    waits = last and last.outcome == "needs-approval" and not hold_on(entries, last.head, last.dataset)
    return last if waits else None


def aliases(entries: Sequence[Decision]) -> dict[str, str | None]:
    """Say which version each alias names after these entries."""
    named = {"champion": champion(entries), "challenger": challenger(entries), "previous": previous(entries)}
    return {alias: one.model_version if one else None for alias, one in named.items()}


def hold_on(entries: Sequence[Decision], head: str, dataset: str = "") -> Decision | None:
    """Return the entry that keeps these weights, or this data, from being promoted until a person lifts it."""
    holds: dict[str, Decision] = {}
    for one in entries:
        if one.outcome in {"rolled-back", "held"}:
            holds[one.model_version] = one
        elif one.outcome == "lifted":
            holds.pop(one.model_version, None)
    return next((one for one in holds.values() if one.head == head or one.dataset == dataset), None)


def held_words(hold: Decision) -> str:
    """Say since when and by whom a version is held, and how that ends."""
    what = "rolled back" if hold.outcome == "rolled-back" else "held"
    return (
        f"version {hold.model_version} was {what} by {hold.person} on {hold.time[:10]} ({hold.why}), "
        f"and until pedigree model lift {hold.model_version} neither its weights nor its data are promoted"
    )


def _numbered(entries: Sequence[Decision], number: int | None) -> Decision | None:
    return next((one for one in entries if one.number == number), None)

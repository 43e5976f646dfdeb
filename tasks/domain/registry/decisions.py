"""The ledger's entries, and what they say together: who serves, who served before, what is held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

# Renumbered: nobody decided anything, but MLflow holds a model under another number than before.
DecisionOutcome = Literal["promoted", "rejected", "needs-approval", "rolled-back", "held", "lifted", "renumbered"]
_BY_THE_GATE = ("promoted", "rejected", "needs-approval")
# So many hex digits of a head's hash are shown where a number means two models, and so many are enough to name it.
_NAMED, _SHORTEST = 12, 7


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry: what was decided about which model, and which entry's model is champion from then on.

    ``against`` is the entry of the champion until then. ``person`` and ``why`` are empty where the gate decided alone;
    ``figures`` are those of the evaluation that it looked at. ``before`` is the SHA-256 of all entries before this one,
    ``package`` the hash of the registered package's files; both are empty in those of an earlier Pedigree.
    """

    number: int
    time: str
    outcome: DecisionOutcome
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
    before: str = field(default="", compare=False)
    package: str = ""

    def __str__(self) -> str:
        """Say what was decided, and who did if that was a person."""
        by = f" by {self.person}" if self.person else ""
        return f"decision {self.number}, version {self.model_version} {self.outcome}{by}"

    @property
    def model(self) -> tuple[str, str, str]:
        """Identify the model by its weights, its data and its recipe: MLflow may give a version's number anew."""
        return self.head, self.dataset, self.recipe

    @property
    def decided_by_gate(self) -> bool:
        """Tell whether the rules decided, at the end of a night, and no person."""
        return self.outcome in _BY_THE_GATE and not self.person


@dataclass(frozen=True, slots=True)
class ChampionReplaced:
    """Nothing was decided, since another model serves than the challenger was judged against; none has no version."""

    champion: str

    def __str__(self) -> str:
        """Say who serves now."""
        serves = f"version {self.champion} serves" if self.champion else "no model serves"
        return f"nothing decided, since {serves} now: judging again, against that"


@dataclass(frozen=True, slots=True)
class AlreadyDecided:
    """Nothing was decided, since another run has decided about the same data and recipe while this one worked."""

    decision: int
    version: str
    outcome: DecisionOutcome
    run_id: str

    def __str__(self) -> str:
        """Name that decision."""
        decided = f"decision {self.decision}, version {self.version} {self.outcome}"
        return f"another retraining of the same data was faster: {decided}"


def find_champion(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry whose model serves, under its present number; None before there is one."""
    return _present_entry(entries, entries[-1].champion) if entries else None


def find_previous(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry of the model that the champion replaced; None where it is the first one."""
    serving = find_champion(entries)
    former = _entry(entries, serving.against) if serving else None
    # A night that was forced may promote the champion once more.
    while serving and former and former.model == serving.model:
        former = _entry(entries, former.against)
    return _with_present_number(entries, former) if former else None


def find_challenger(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry of the model that was judged last, where it was not promoted."""
    judged = [entry for entry in entries if entry.outcome in _BY_THE_GATE]
    return _with_present_number(entries, judged[-1]) if judged and judged[-1].outcome != "promoted" else None


def find_waiting(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry of the model that waits for a person's word, unless somebody holds it."""
    last = find_challenger(entries)
    waits = last and last.outcome == "needs-approval" and not find_hold(entries, last.head, last.dataset)
    return last if waits else None


def resolve_aliases(entries: Sequence[Decision]) -> dict[str, Decision | None]:
    """Say of which entry each alias names the model after these entries."""
    return {
        "champion": find_champion(entries),
        "challenger": find_challenger(entries),
        "previous": find_previous(entries),
    }


def find_hold(entries: Sequence[Decision], head: str, dataset: str = "") -> Decision | None:
    """Return the entry that keeps these weights, or this data, from being promoted until a person lifts it."""
    holds: dict[tuple[str, str, str], Decision] = {}
    for entry in entries:
        if entry.outcome in {"rolled-back", "held"}:
            holds[entry.model] = entry
        elif entry.outcome == "lifted":
            holds.pop(entry.model, None)
    hold = next((entry for entry in holds.values() if entry.head == head or entry.dataset == dataset), None)
    return _with_present_number(entries, hold) if hold else None


def describe_hold(hold: Decision, entries: Sequence[Decision]) -> str:
    """Say since when and by whom a version is held, and how that ends."""
    name = find_shortest_name(entries, hold)
    state = "rolled back" if hold.outcome == "rolled-back" else "held"
    return (
        f"version {hold.model_version} was {state} by {hold.person} on {hold.time[:10]} ({hold.why}), "
        f"and until pedigree model lift {name} neither its weights nor its data are promoted"
    )


def find_last_decision(entries: Sequence[Decision], model: tuple[str, str, str]) -> Decision:
    """Return what was decided last about a model, under its present number."""
    last = next(entry for entry in reversed(entries) if entry.model == model and entry.outcome != "renumbered")
    return _with_present_number(entries, last)


def find_decisions(entries: Sequence[Decision], word: str) -> list[Decision]:
    """Return the last decision about each model that a word may mean.

    A word is a number that MLflow gives or gave the model, the id of an MLflow run, or the beginning of a head's hash.
    """
    named = (
        entry
        for entry in entries
        if word in {entry.model_version, entry.run_id} or (len(word) >= _SHORTEST and entry.head.startswith(word))
    )
    return [find_last_decision(entries, model) for model in dict.fromkeys(entry.model for entry in named)]


def find_shortest_name(entries: Sequence[Decision], decision: Decision) -> str:
    """Return the shortest word that means this model alone: its present number, its head, or else its run."""
    words = (decision.model_version, decision.head[:_NAMED], decision.run_id)
    return next((word for word in words if len(find_decisions(entries, word)) == 1), decision.run_id)


def describe_candidates(entries: Sequence[Decision]) -> str:
    """Name models that share a number, each by what tells it from the others."""
    heads = [entry.head[:_NAMED] for entry in entries]
    words = heads if len(set(heads)) == len(heads) else [entry.run_id for entry in entries]
    descriptions = (
        f"{word} ({entry.outcome} on {entry.time[:10]})" for word, entry in zip(words, entries, strict=True)
    )
    return " or ".join(descriptions)


def find_rival(entries: Sequence[Decision], decision: Decision) -> Decision | None:
    """Return the entry of the champion that a model was held against when it was judged last."""
    judged = next(entry for entry in reversed(entries) if entry.model == decision.model and entry.decided_by_gate)
    return _present_entry(entries, judged.against)


def build_promotion_command(entries: Sequence[Decision], decision: Decision) -> str:
    """Write the command that makes a model champion, as it would be obeyed now; empty where somebody holds it."""
    if find_hold(entries, decision.head, decision.dataset):
        return ""
    serving, rival = find_champion(entries), find_rival(entries, decision)
    replaces = serving and serving.model not in {decision.model, rival.model if rival else None}
    option = f" --instead-of {find_shortest_name(entries, serving)}" if serving and replaces else ""
    return f"pedigree model promote {find_shortest_name(entries, decision)}{option}"


def was_promoted(entries: Sequence[Decision], model: tuple[str, str, str]) -> bool:
    """Tell whether a model has been champion."""
    return any(entry.outcome == "promoted" and entry.model == model for entry in entries)


def _with_present_number(entries: Sequence[Decision], entry: Decision) -> Decision:
    """Return an entry under the number and the run that its model has in MLflow now."""
    anew = (other for other in reversed(entries) if other.outcome == "renumbered" and other.model == entry.model)
    latest = next(anew, entry)
    return (
        replace(entry, model_version=latest.model_version, run_id=latest.run_id)
        if latest.number > entry.number
        else entry
    )


def _present_entry(entries: Sequence[Decision], number: int | None) -> Decision | None:
    entry = _entry(entries, number)
    return _with_present_number(entries, entry) if entry else None


def _entry(entries: Sequence[Decision], number: int | None) -> Decision | None:
    return next((entry for entry in entries if entry.number == number), None)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was decided and written to the ledger, about which model version, and the pages that show more.

    A page's address is empty where MLflow is a database that has no pages.
    """

    decision: int
    status: DecisionOutcome
    model_version: str
    reason: str
    rules: tuple[Mapping[str, Any], ...]
    pages: Mapping[str, str]

    def __str__(self) -> str:
        """Say the decision and its reason."""
        return f"decision {self.decision}, model version {self.model_version} {self.status}: {self.reason}"

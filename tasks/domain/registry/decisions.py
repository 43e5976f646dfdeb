"""Decisions of the ledger, and what they say together: which model serves, which served before, which is held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tasks.domain.hashing import name_apart

# Renumbered is no decision: MLflow holds a model under another version number than before.
DecisionOutcome = Literal["promoted", "rejected", "needs-approval", "rolled-back", "held", "lifted", "renumbered"]
_GATE_OUTCOMES = ("promoted", "rejected", "needs-approval")
# The hex digits of a head's hash that are shown where one number means two models, and the fewest that name a model.
_NAMED, _SHORTEST = 12, 7


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry of the ledger: what was decided about a model, and which model is champion afterwards.

    Attributes:
        number: The number of the decision, counted from 1.
        time: When it was made, in ISO 8601.
        outcome: What was decided.
        champion: The number of the entry whose model is champion afterwards; None where there is none.
        against: The number of the entry whose model was champion before; None where there was none.
        dataset: The hash of the dataset version.
        recipe: The hash of the settings that decide the model.
        backbone: The fingerprint of the backbone.
        head: The hash of the head.
        run_id: The MLflow run.
        model_version: The version in the MLflow registry.
        reason: Why, in one sentence.
        rules: The results of the gate's rules.
        person: The person who decided; empty where the gate did.
        why: The person's reason; empty where the gate decided.
        figures: The metrics that the gate looked at.
        before: SHA-256 of all earlier entries; empty in entries of an earlier Pedigree.
        package: The hash of the registered package's files; empty in entries of an earlier Pedigree.
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
        """Describe what was decided and, if it was a person, by whom."""
        by = f" by {self.person}" if self.person else ""
        return f"decision {self.number}, version {self.model_version} {self.outcome}{by}"

    @property
    def model(self) -> tuple[str, str, str]:
        """Return the head, dataset and settings that identify the model: MLflow may renumber versions."""
        return self.head, self.dataset, self.recipe

    @property
    def decided_by_gate(self) -> bool:
        """Return whether the gate decided at the end of a run, and no person."""
        return self.outcome in _GATE_OUTCOMES and not self.person


def find_champion(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry whose model serves, under its present number; None before there is one."""
    return _present_entry(entries, entries[-1].champion) if entries else None


def find_previous(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry of the model that the champion replaced; None where the champion is the first one."""
    serving = find_champion(entries)
    former = _entry(entries, serving.against) if serving else None
    # A forced run may promote the champion once more.
    while serving and former and former.model == serving.model:
        former = _entry(entries, former.against)
    return _with_present_number(entries, former) if former else None


def find_challenger(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry of the model that the gate decided about last, unless that model was promoted."""
    decided = [entry for entry in entries if entry.outcome in _GATE_OUTCOMES]
    return _with_present_number(entries, decided[-1]) if decided and decided[-1].outcome != "promoted" else None


def find_waiting(entries: Sequence[Decision]) -> Decision | None:
    """Return the entry of the model that waits for a person's approval, unless it is held."""
    last = find_challenger(entries)
    waits = last and last.outcome == "needs-approval" and not find_hold(entries, last.head, last.dataset)
    return last if waits else None


def resolve_aliases(entries: Sequence[Decision]) -> dict[str, Decision | None]:
    """Return, for each alias, the entry whose model it names."""
    return {
        "champion": find_champion(entries),
        "challenger": find_challenger(entries),
        "previous": find_previous(entries),
    }


def find_hold(entries: Sequence[Decision], head: str, dataset: str = "") -> Decision | None:
    """Return the entry that keeps a model from being promoted until a person releases it.

    Args:
        entries: The ledger.
        head: The hash of the model's head.
        dataset: The hash of its dataset version: a hold covers models of the same head or the same data.

    Returns:
        The entry under its present version number; None where nothing is held.
    """
    holds: dict[tuple[str, str, str], Decision] = {}
    for entry in entries:
        if entry.outcome in {"rolled-back", "held"}:
            holds[entry.model] = entry
        elif entry.outcome == "lifted":
            holds.pop(entry.model, None)
    hold = next((entry for entry in holds.values() if entry.head == head or entry.dataset == dataset), None)
    return _with_present_number(entries, hold) if hold else None


def describe_hold(hold: Decision, entries: Sequence[Decision]) -> str:
    """Describe since when a model is held, by whom, and which command ends that.

    Args:
        hold: The entry that holds it.
        entries: The ledger.

    Returns:
        The sentence.
    """
    name = find_shortest_name(entries, hold)
    state = "rolled back" if hold.outcome == "rolled-back" else "held"
    return (
        f"version {hold.model_version} was {state} by {hold.person} on {hold.time[:10]} ({hold.why}), "
        f"and until pedigree model lift {name} neither its weights nor its data are promoted"
    )


def find_last_decision(entries: Sequence[Decision], model: tuple[str, str, str]) -> Decision:
    """Return the last decision about a model.

    Args:
        entries: The ledger, which has a decision about the model.
        model: What identifies the model, as in ``Decision.model``.

    Returns:
        The entry, under its present version number.
    """
    last = next(entry for entry in reversed(entries) if entry.model == model and entry.outcome != "renumbered")
    return _with_present_number(entries, last)


def find_decisions(entries: Sequence[Decision], word: str) -> list[Decision]:
    """Return the last decision about each model that a word may mean.

    Args:
        entries: The ledger.
        word: A version number that MLflow gives or gave the model, or the beginning of a head's hash or of the id of
            an MLflow run, with at least seven digits.

    Returns:
        One entry for each model; several where a number was given to several models.
    """
    digits = word.lower() if len(word) >= _SHORTEST else ""
    named = (
        entry
        for entry in entries
        if word in {entry.model_version, entry.run_id}
        or (digits and (entry.head.startswith(digits) or entry.run_id.startswith(digits)))
    )
    return [find_last_decision(entries, model) for model in dict.fromkeys(entry.model for entry in named)]


def find_shortest_name(entries: Sequence[Decision], decision: Decision) -> str:
    """Return the shortest word that means this model alone.

    Args:
        entries: The ledger.
        decision: An entry about the model.

    Returns:
        Its present version number, else the beginning of its head's hash, else the id of its run.
    """
    words = (decision.model_version, decision.head[:_NAMED], decision.run_id)
    return next((word for word in words if len(find_decisions(entries, word)) == 1), decision.run_id)


def describe_candidates(entries: Sequence[Decision]) -> str:
    """Describe models that one word may mean, each with a word that means it alone."""
    heads = [entry.head for entry in entries]
    words = name_apart(heads) if len(set(heads)) == len(heads) else [entry.run_id for entry in entries]
    descriptions = (
        f"{word} ({entry.outcome} on {entry.time[:10]})" for word, entry in zip(words, entries, strict=True)
    )
    return " or ".join(descriptions)


def find_rival(entries: Sequence[Decision], decision: Decision) -> Decision | None:
    """Return the champion with which a model was compared when the gate last decided about it.

    Args:
        entries: The ledger.
        decision: An entry about the model.

    Returns:
        The champion's entry; None where there was no champion.
    """
    last = next(entry for entry in reversed(entries) if entry.model == decision.model and entry.decided_by_gate)
    return _present_entry(entries, last.against)


def build_promotion_command(entries: Sequence[Decision], decision: Decision) -> str:
    """Return the command that makes a model champion.

    Args:
        entries: The ledger.
        decision: An entry about the model.

    Returns:
        The command, with ``--instead-of`` where another champion serves than the one it was compared with; empty where
        the model is held.
    """
    if find_hold(entries, decision.head, decision.dataset):
        return ""
    serving, rival = find_champion(entries), find_rival(entries, decision)
    replaces = serving and serving.model not in {decision.model, rival.model if rival else None}
    option = f" --instead-of {find_shortest_name(entries, serving)}" if serving and replaces else ""
    return f"pedigree model promote {find_shortest_name(entries, decision)}{option}"


def was_promoted(entries: Sequence[Decision], model: tuple[str, str, str]) -> bool:
    """Return whether a model has been champion.

    Args:
        entries: The ledger.
        model: What identifies the model, as in ``Decision.model``.

    Returns:
        Whether any entry promotes it.
    """
    return any(entry.outcome == "promoted" and entry.model == model for entry in entries)


def _with_present_number(entries: Sequence[Decision], entry: Decision) -> Decision:
    """Return the entry under the version number and the run that its model has in MLflow now."""
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
class RegisteredVersion:
    """A registered version: its number, its run, its tags, which alone say which model it is, and its description."""

    number: str
    run_id: str
    tags: Mapping[str, str]
    description: str = ""

    def matches(self, decision: Decision) -> bool:
        """Return whether this is the model that a decision is about: the same weights, data and settings."""
        expected = {"pedigree.head": decision.head, "pedigree.dataset": decision.dataset}
        same = all(self.tags.get(name) == value for name, value in expected.items())
        return same and self.tags.get("pedigree.recipe", decision.recipe) == decision.recipe

"""Letting MLflow show what the ledger says: aliases, tags and files of every decision that it has not followed yet."""

from collections.abc import Sequence
from dataclasses import dataclass

from configs import schema
from configs.problems import Problem
from tasks.domain.decisions import Decision, aliases, waiting
from tasks.domain.glance import dataset_figures, run_name, verdict_tags
from tasks.stores import registry, tracking
from tasks.stores.datasets import dataset_files, read_card
from tasks.stores.ledger import Ledger

_BY_HAND = "pedigree.moved_by_hand"


@dataclass(frozen=True, slots=True)
class Followed:
    """The decisions that MLflow shows from now on, notes on aliases that somebody moved, and who waits for a person."""

    finished: tuple[Decision, ...]
    notes: tuple[str, ...]
    waiting: Decision | None = None

    def __str__(self) -> str:
        """Say what MLflow was told, and what was found there; nothing where it shows what the ledger says already."""
        told = ", ".join(str(one) for one in self.finished)
        return "; ".join(filter(None, (told, *self.notes)))

    def words(self, own: int | None = None) -> tuple[str, ...]:
        """List what a night says beside its own decision: what it finished for an earlier run, notes, and who waits."""
        late = [f"{one} is finished now, which an earlier run could not" for one in self.finished if one.number != own]
        waits = self.waiting.model_version if self.waiting and self.waiting.number != own else ""
        return (*late, *self.notes, *([f"version {waits} waits for pedigree model promote {waits}"] if waits else []))


def follow(store: str, place: schema.Tracking, *, overrule: bool = False) -> Followed:
    """Finish all pending decisions in MLflow; aliases that a person moved there stay unless a person overrules that.

    Raises:
        Problem: MLflow does not answer, or refuses; what is pending stays so for the next run.
    """
    ledger = Ledger(store)
    entries = ledger.entries()
    pending = ledger.pending(entries)
    try:
        notes = _point(place, entries, pending, overrule=overrule)
        for one in pending:
            _tell(store, place, one)
    except Problem as problem:
        raise _unfinished(pending, problem) from problem
    # Who decided meanwhile may have moved the aliases before we did: the last one to look leaves them right.
    if pending and len(ledger.files()) > len(entries):
        return follow(store, place, overrule=overrule)
    for one in pending:
        ledger.mark_applied(one.number)
    return Followed(tuple(pending), notes, waiting(entries))


def _point(
    place: schema.Tracking, entries: Sequence[Decision], pending: Sequence[Decision], *, overrule: bool
) -> tuple[str, ...]:
    """Move the aliases that are where we left them, put back those that are gone, and name those moved by hand."""
    known = entries.index(pending[0]) if pending else len(entries)
    left = [aliases(entries[:end]) for end in range(known, len(entries) + 1)]
    (shown, tags), notes = registry.described(place.url, place.model), []
    for alias, wanted in left[-1].items():
        now, ours = shown.get(alias), {state[alias] for state in left}
        ours_to_move = now in ours or overrule or now is None
        if now == wanted:
            continue
        if ours_to_move and not registry.point(place.url, place.model, alias, wanted):
            notes.append(f"the alias {alias} cannot name version {wanted}, which MLflow does not hold")
        elif now not in ours and not overrule:
            notes.append(_note(alias, now, wanted))
    if (text := "; ".join(notes)) != tags.get(_BY_HAND, ""):
        registry.note(place.url, place.model, _BY_HAND, text)
    return tuple(notes)


def _note(alias: str, now: str | None, wanted: str | None) -> str:
    if now is None:
        return f"the alias {alias} had been removed by hand in MLflow and names version {wanted} again"
    says = f"version {wanted}" if wanted else "no version"
    settle = f"pedigree model promote {now}" + (f" or {wanted}" if wanted else "")
    return (
        f"the alias {alias} was moved by hand in MLflow to version {now} and stays there, while the ledger says {says}"
        + (f" ({settle} settles it)" if alias == "champion" else "")
    )


def _tell(store: str, place: schema.Tracking, one: Decision) -> None:
    """Tag version and run with the decision; a night's own run also gets its data card, and ends."""
    person = {"pedigree.person": one.person, "pedigree.why": one.why} if one.person else {}
    tags = {"pedigree.outcome": one.outcome, "pedigree.decision": str(one.number), **person}
    registry.tag(place.url, place.model, one.model_version, tags)
    if one.by_the_gate:
        card = read_card(store, one.dataset) or {}
        tracking.log_files(place.url, one.run_id, dataset_files(store, one.dataset))
        tracking.finish(place.url, one.run_id, run_name(one, card), verdict_tags(one), dataset_figures(card))
    else:
        tracking.tag(place.url, one.run_id, tags)


def _unfinished(pending: Sequence[Decision], problem: Problem) -> Problem:
    if not pending:
        return problem
    which = ", ".join(str(one) for one in pending)
    return type(problem)(
        f"The ledger holds {which}, and the next run finishes it in MLflow; this one could not: {problem}"
    )

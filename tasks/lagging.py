"""How far behind the ledger an MLflow is, or ahead of it: either may have been put back from an older copy."""

from collections.abc import Sequence
from dataclasses import dataclass

from configs import schema
from tasks.domain.decisions import Decision
from tasks.stores import registry


@dataclass(frozen=True, slots=True)
class Lag:
    """Whether MLflow and the ledger tell of different times, decisions that MLflow has lost, and what to say of it."""

    any: bool
    lost: tuple[Decision, ...] = ()
    words: tuple[str, ...] = ()


def lag(place: schema.Tracking, entries: Sequence[Decision], handled: Sequence[Decision], followed: str | None) -> Lag:
    """Hold how far MLflow says that it has followed against the decisions that were once shown there.

    An MLflow from before it said so is asked for the versions of the latest decisions.
    """
    real = [one for one in handled if one.outcome != "renumbered"]
    if followed is None:
        return _untold(place, real)
    shown = int(followed) if followed.isdecimal() else 0
    if entries and shown > entries[-1].number:
        words = f"the ledger is older than MLflow, which had followed decision {shown}: the ledger says who serves"
        return Lag(any=True, words=(words,))
    lost = [one for one in real if one.number > shown]
    return _older(lost, shown) if lost else Lag(any=False)


def _untold(place: schema.Tracking, handled: Sequence[Decision]) -> Lag:
    """Look which decision the versions in MLflow tell of last."""
    if handled and not registry.find_version(place.url, place.model, {}):
        return Lag(any=True)
    lost: list[Decision] = []
    for one in reversed(handled):
        version = registry.version_of(place.url, place.model, one)
        told = version.tags.get("pedigree.decision", "0") if version else "0"
        if told.isdecimal() and int(told) >= one.number:
            break
        lost.insert(0, one)
    return _older(lost, handled[-len(lost) - 1].number if len(lost) < len(handled) else 0) if lost else Lag(any=False)


def _older(lost: Sequence[Decision], shown: int) -> Lag:
    words = f"MLflow is older than the ledger, as after a restored copy: it had followed decision {shown} and not"
    return Lag(any=True, lost=tuple(lost), words=(f"{words} {lost[-1].number}, and follows the ledger again",))

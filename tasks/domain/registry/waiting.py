"""Waiting challengers: which model is not champion yet, and may become it once a person or more data has spoken."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from configs.gate_rules import IMPROVEMENT
from tasks.domain.registry.decisions import Decision, find_challenger, find_hold

WaitsFor = Literal["a person", "more data"]


@dataclass(frozen=True, slots=True)
class WaitingChallenger:
    """A challenger that no rule has turned down for harm.

    Attributes:
        decision: The gate's last decision about it.
        waits_for: What would make it champion.
    """

    decision: Decision
    waits_for: WaitsFor


def find_waiting_challenger(entries: Sequence[Decision]) -> WaitingChallenger | None:
    """Find the challenger that waits for a person, or for more data, unless it is held.

    A challenger waits for more data where the gate rejected it for one reason alone: nothing shows that it is better
    than the champion.

    Args:
        entries: The ledger.

    Returns:
        The challenger; None where the last one was promoted, was rejected for harm, or is held.
    """
    last = find_challenger(entries)
    if last is None or find_hold(entries, last.head, last.dataset):
        return None
    if last.outcome == "needs-approval":
        return WaitingChallenger(last, "a person")
    return WaitingChallenger(last, "more data") if _lacks_only_evidence(last) else None


def _lacks_only_evidence(decision: Decision) -> bool:
    """Return whether the rule that failed, and no other one, is that the challenger must be better."""
    failed = [str(rule["rule"]) for rule in decision.rules if rule.get("outcome") == "failed"]
    return bool(failed) and all(rule.startswith(IMPROVEMENT) for rule in failed)

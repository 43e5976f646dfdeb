"""Settling: the gate decides about a challenger that waits for nothing but live answers, once enough are known."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from configs import schema
from configs.gate_rules import Rule
from tasks.domain.gate.live_disagreement import apply_live_rule, is_live_result
from tasks.domain.gate.rule_result import RuleResult
from tasks.domain.registry.decisions import Decision, find_champion, find_rival
from tasks.domain.registry.waiting import find_waiting_challenger
from tasks.domain.runs.results import Outcome
from tasks.promotion.sync_registry import RegistrySync
from tasks.serving.live_agreement import Network, read_live_disagreement
from tasks.step import step
from tasks.stores.store import Store


@dataclass(frozen=True, slots=True)
class Settled:
    """What live answers decided about a challenger that waited for them; no decision where nothing did."""

    decision: Decision | None = None

    def __str__(self) -> str:
        """Describe the decision and its reason; nothing where there is none."""
        return f"{self.decision}: {self.decision.reason}" if self.decision else ""

    def leave_out_of(self, sync: RegistrySync) -> RegistrySync:
        """Return what MLflow has followed without this decision, which no earlier run has left unfinished."""
        return sync.leave_out(self.decision.number) if self.decision else sync

    def add_to(self, outcome: Outcome) -> Outcome:
        """Return how a run ended that decided this; where it also decided about a new model, that one's end stays."""
        if self.decision is None:
            return outcome
        if outcome.run_id:
            return replace(outcome, reason=f"{outcome.reason}; {self}")
        decision = self.decision
        return replace(
            outcome,
            status=decision.outcome,
            reason=f"{self}; {outcome.reason}",
            model_version=decision.model_version,
            run_id=decision.run_id,
            gate=tuple(decision.rules),
        )


#: No challenger waited for live photographs, or too few of them are known.
NOTHING_SETTLED = Settled()


@step(hours=2)
def settle_waiting(settings: schema.Settings) -> Settled:
    """Decide about the challenger that waits for live answers alone, and tell of it in the run log.

    Args:
        settings: Those of the store, the gate and the tracking are read.

    Returns:
        The decision, which is in the ledger; MLflow follows at the end of the run.
    """
    return settle(settings)


def settle(settings: schema.Settings) -> Settled:
    """Decide about the challenger that waits for live answers alone, where enough of them are known by now.

    Every other rule was passed when the challenger was evaluated, against the champion that still serves.

    Args:
        settings: Those of the store, the gate and the tracking are read.

    Returns:
        The decision; nothing where none waits, where too few answers are known, or where a person is still asked.
    """
    rules = [rule for rule in settings.gate.parsed if rule.scope == "live"]
    ledger = Store(settings.store.url).ledger
    waiting = find_undecided(ledger.entries(), rules)
    if waiting is None:
        return NOTHING_SETTLED
    network = Network(waiting.backbone, waiting.head)
    live = read_live_disagreement(settings.tracking.url, ledger.entries(), network)
    results = [apply_live_rule(rule, live, settings.gate) for rule in rules] if live else []
    if not results or any(result.outcome == "ask" for result in results):
        return NOTHING_SETTLED

    def make_decision(entries: Sequence[Decision]) -> Decision | None:
        same = find_undecided(entries, rules)
        return _decide(entries, same, results) if same == waiting else None

    return Settled(ledger.decide(make_decision))


def find_undecided(entries: Sequence[Decision], rules: Sequence[Rule]) -> Decision | None:
    """Find the challenger about which nothing is open but what live photographs say.

    Args:
        entries: The ledger.
        rules: The rules about live photographs, as they are now.

    Returns:
        The gate's decision that leaves it to a person; None where another rule asks too, where another champion serves
        than the one it was compared with, or where the rules are others now.
    """
    waiting = find_waiting_challenger(entries)
    if waiting is None or waiting.waits_for != "a person":
        return None
    decision, champion = waiting.decision, find_champion(entries)
    rival = find_rival(entries, decision)
    if champion is None or rival is None or champion.model != rival.model:
        return None
    asking = [str(result["rule"]) for result in decision.rules if result["outcome"] == "ask"]
    return decision if rules and sorted(asking) == sorted(rule.text for rule in rules) else None


def _decide(entries: Sequence[Decision], waiting: Decision, results: Sequence[RuleResult]) -> Decision:
    """Return the gate's decision, with the results of the rules that were open."""
    failed = [result for result in results if result.outcome == "failed"]
    number = entries[-1].number + 1
    return replace(
        waiting,
        number=number,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        outcome="rejected" if failed else "promoted",
        champion=entries[-1].champion if failed else number,
        against=entries[-1].champion,
        reason="; ".join(result.said for result in failed or results),
        rules=_with_results(waiting.rules, results),
    )


def _with_results(rules: Sequence[Mapping[str, Any]], results: Sequence[RuleResult]) -> list[Mapping[str, Any]]:
    current = {result.rule: asdict(result) for result in results}
    return [current.get(str(rule["rule"]), rule) if is_live_result(rule) else rule for rule in rules]

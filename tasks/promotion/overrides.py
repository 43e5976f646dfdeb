"""Overrides: a person promotes a model, rolls the champion back, holds a model, or lifts a hold."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from configs import schema
from configs.environment import absolute
from configs.errors import PedigreeError, SettingsError
from configs.load import resolve_tracking
from tasks.domain.registry import decisions
from tasks.domain.registry.decisions import (
    Decision,
    DecisionOutcome,
    describe_hold,
    find_hold,
    find_shortest_name,
)
from tasks.promotion.aliases import Approver, Workspace
from tasks.promotion.live_evidence import add_live_evidence, read_live_evidence
from tasks.promotion.sync_registry import RegistrySync, follow_ledger
from tasks.step import step
from tasks.stores.store import Store
from tasks.stores.tracking import registry
from tasks.stores.tracking.client import check_tracking
from tasks.stores.tracking.owner import check_owner


@dataclass(frozen=True, slots=True)
class Override:
    """What a person decided; no decision where the ledger said so already, and only MLflow had to follow."""

    decision: Decision | None
    champion: str
    sync: RegistrySync

    def __str__(self) -> str:
        """Say what was decided, and who serves now."""
        message = f"{self.decision}: {self.decision.reason}" if self.decision else "nothing to decide"
        return "; ".join((message, f"version {self.champion or 'none'} serves", *self._notes()))

    def to_dict(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        decision = asdict(self.decision) if self.decision else None
        return {"decision": decision, "champion": self.champion or None, "notes": list(self._notes())}

    def _notes(self) -> tuple[str, ...]:
        return self.sync.messages(self.decision.number if self.decision else None)


def promote(workspace: Workspace, version: str, approver: Approver, instead_of: str = "") -> Override:
    """Make a version champion that the gate rejected or left to a person, or one that served before.

    Args:
        workspace: The store whose ledger decides, and the MLflow that follows it.
        version: A model version, or the beginning of a head's hash.
        approver: Who decides, and why.
        instead_of: The version that serves now; needed where it is not the one that this version was compared with.

    Returns:
        What the ledger says now.

    Raises:
        PedigreeError: The ledger does not know the version, it is held, or it was compared with another champion than
            the one that serves.
    """
    _check_request(workspace, approver)
    decision = _find_decision(workspace, version)
    live = read_live_evidence(workspace, decision)

    def make_decision(entries: Sequence[Decision]) -> Decision | None:
        serving = decisions.find_champion(entries)
        if serving and serving.model == decision.model:
            return None
        if hold_decision := find_hold(entries, decision.head, decision.dataset):
            raise PedigreeError(
                f"Version {decision.model_version} cannot be promoted: {describe_hold(hold_decision, entries)}."
            )
        _require_same_champion(entries, decision, instead_of)
        number = entries[-1].number + 1
        reason = f"in place of version {serving.model_version}" if serving else "as the first champion"
        promotion = _entry(entries, decision, approver, "promoted", reason=reason, champion=number)
        return add_live_evidence(promotion, live)

    return _sync_registry(workspace, workspace.store.ledger.decide(make_decision), overrule=True)


def roll_back(workspace: Workspace, approver: Approver) -> Override:
    """Let the model serve again that the champion replaced, and hold the champion's weights and data.

    Args:
        workspace: The store whose ledger decides, and the MLflow that follows it.
        approver: Who decides, and why.

    Returns:
        What the ledger says now.

    Raises:
        PedigreeError: There is no former champion, it is held, or another version became champion meanwhile.
    """
    _check_request(workspace, approver)
    champion = workspace.store.ledger.champion()

    def make_decision(entries: Sequence[Decision]) -> Decision:
        serving, former = decisions.find_champion(entries), decisions.find_previous(entries)
        if serving is None or former is None:
            only = f"version {serving.model_version} is the first champion" if serving else "there is no champion"
            raise PedigreeError(f"Nothing to roll back to in {workspace.store.url}: {only}.")
        if champion and serving.number != champion.number:
            message = f"Version {serving.model_version} became champion meanwhile: look at it, and roll back again."
            raise PedigreeError(message)
        if hold_decision := find_hold(entries, former.head):
            raise PedigreeError(
                f"Version {former.model_version} cannot come back: {describe_hold(hold_decision, entries)}."
            )
        reason = f"rolled back to version {former.model_version}"
        return _entry(entries, serving, approver, "rolled-back", reason=reason, champion=former.number)

    return _sync_registry(workspace, workspace.store.ledger.decide(make_decision), overrule=True)


def hold(workspace: Workspace, version: str, approver: Approver) -> Override:
    """Keep a version's weights and data from being promoted until somebody lifts the hold; who serves stays.

    Args:
        workspace: The store whose ledger decides, and the MLflow that follows it.
        version: A model version, or the beginning of a head's hash.
        approver: Who decides, and why.

    Returns:
        What the ledger says now.
    """
    _check_request(workspace, approver)
    decision = _find_decision(workspace, version)

    def make_decision(entries: Sequence[Decision]) -> Decision:
        reason = "held: neither its weights nor its data are promoted"
        return _entry(entries, decision, approver, "held", reason=reason, champion=entries[-1].champion)

    return _sync_registry(workspace, workspace.store.ledger.decide(make_decision))


def release(workspace: Workspace, version: str, approver: Approver) -> Override:
    """End the hold on a version, by whomever and however it came.

    Args:
        workspace: The store whose ledger decides, and the MLflow that follows it.
        version: A model version, or the beginning of a head's hash.
        approver: Who decides, and why.

    Returns:
        What the ledger says now.

    Raises:
        PedigreeError: The version is not held.
    """
    _check_request(workspace, approver)
    decision = _find_decision(workspace, version)

    def make_decision(entries: Sequence[Decision]) -> Decision:
        hold_decision = find_hold(entries, decision.head)
        if hold_decision is None:
            raise PedigreeError(
                f"Version {decision.model_version} is not held: pedigree model list shows which ones are."
            )
        reason = "lifted: its weights and data may be promoted again"
        return _entry(entries, hold_decision, approver, "lifted", reason=reason, champion=entries[-1].champion)

    return _sync_registry(workspace, workspace.store.ledger.decide(make_decision))


def _check_request(workspace: Workspace, approver: Approver) -> None:
    if not approver.name.strip():
        raise SettingsError("Say who decides: the ledger keeps who decided, when and for what reason.")
    if not approver.why.strip():
        raise SettingsError("Say why: the ledger keeps who decided, when and for what reason.")
    workspace.store.objects.check()
    workspace.store.check_format()
    check_tracking(workspace.tracking.url)
    url, model = workspace.tracking.url, workspace.tracking.model
    check_owner(workspace.store, url, model, registry.read_aliases_and_tags(url, model)[1])


def _find_decision(workspace: Workspace, word: str) -> Decision:
    """Find the last decision about the model that a person means; a number must mean the same in MLflow.

    Returns:
        The ledger's entry.

    Raises:
        SettingsError: The ledger does not know the model, or the number is another model's in MLflow.
    """
    ledger, number = workspace.store.ledger, word.rpartition("/")[2]
    version = (
        registry.version_numbered(workspace.tracking.url, workspace.tracking.model, number)
        if number.isdecimal()
        else None
    )
    if version is None:
        return ledger.named(word)
    entries = ledger.entries()
    models = dict.fromkeys(decision.model for decision in entries if version.matches(decision))
    registered = [decisions.find_last_decision(entries, model) for model in models]
    candidates = {decision.model: decision for decision in (*decisions.find_decisions(entries, number), *registered)}
    if not candidates:
        return ledger.named(word)
    if registered and len(candidates) == 1:
        return registered[0]
    unknown = f"in MLflow is a model that the ledger does not know (head {version.tags.get('pedigree.head', '')[:12]})"
    message = "means different models in the ledger and in MLflow" if registered else unknown
    named = decisions.describe_candidates(list(candidates.values()))
    raise SettingsError(f"Version {number} {message}: name the one that is meant by its weights, {named}.")


def _require_same_champion(entries: Sequence[Decision], decision: Decision, instead_of: str) -> None:
    """Raise PedigreeError where another version serves than the person knows of."""
    serving, rival = decisions.find_champion(entries), decisions.find_rival(entries, decision)
    if _knows(entries, serving, rival, instead_of):
        return
    current, judged = (champion.model_version if champion else "none" for champion in (serving, rival))
    reason = f"--instead-of says version {instead_of}" if instead_of else f"it was judged against version {judged}"
    message = f"Version {decision.model_version} is not promoted, since {reason} and version {current} serves"
    option = f"--instead-of {find_shortest_name(entries, serving)}" if serving else ""
    raise PedigreeError(f"{message}: look at both, and add {option} to replace it all the same.")


def _knows(entries: Sequence[Decision], serving: Decision | None, rival: Decision | None, instead_of: str) -> bool:
    """Tell whether the version that a person has in mind is the one that serves."""
    if instead_of and serving:
        named = [decision.model for decision in decisions.find_decisions(entries, instead_of)]
        return instead_of == serving.model_version or named == [serving.model]
    return (serving.model if serving else None) == (rival.model if rival else None)


def _entry(
    entries: Sequence[Decision],
    decision: Decision,
    approver: Approver,
    outcome: DecisionOutcome,
    *,
    reason: str,
    champion: int | None,
) -> Decision:
    return replace(
        decision,
        number=entries[-1].number + 1,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        outcome=outcome,
        champion=champion,
        against=entries[-1].champion,
        reason=reason,
        person=approver.name.strip(),
        why=approver.why.strip(),
    )


def _sync_registry(workspace: Workspace, decision: Decision | None, *, overrule: bool = False) -> Override:
    """Let MLflow follow; where the person said who serves, that goes for aliases which somebody moved by hand too."""
    sync = follow_ledger(workspace.store, workspace.tracking, overrule=overrule)
    if sync.alias_problem:
        ledger_state = f"The ledger holds {decision}" if decision else "The ledger has nothing to add"
        raise PedigreeError(f"{ledger_state}, and another model may serve: {'; '.join(sync.notes)}.")
    serving = workspace.store.ledger.champion()
    return Override(decision, serving.model_version if serving else "", sync)


@step(hours=2)
def approve(
    store: schema.Store, tracking: schema.Tracking, version: str, approver: Approver, instead_of: str
) -> Override:
    """Write a promotion by a person into the ledger, and let MLflow follow.

    Args:
        store: Where the store is.
        tracking: The MLflow whose aliases follow.
        version: The version to promote.
        approver: Who decides, and why.
        instead_of: The version that serves now, where it is not the one that this version was compared with.

    Returns:
        What the ledger says now.
    """
    workspace = Workspace(Store(absolute(store.url)), resolve_tracking(tracking))
    return promote(workspace, version, approver, instead_of)


@step(hours=2)
def roll_back_champion(store: schema.Store, tracking: schema.Tracking, approver: Approver) -> Override:
    """Write a roll-back and its hold into the ledger, and let MLflow follow.

    Args:
        store: Where the store is.
        tracking: The MLflow whose aliases follow.
        approver: Who decides, and why.

    Returns:
        What the ledger says now.
    """
    return roll_back(Workspace(Store(absolute(store.url)), resolve_tracking(tracking)), approver)

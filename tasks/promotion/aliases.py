"""The aliases in MLflow: each names the version that holds the ledger's model, whatever its number is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from configs import schema
from configs.errors import PedigreeError, ServiceUnavailableError
from tasks.domain.registry.decisions import (
    Decision,
    RegisteredVersion,
    build_promotion_command,
    find_last_decision,
    find_shortest_name,
    resolve_aliases,
    was_promoted,
)
from tasks.stores.store import Store
from tasks.stores.tracking import registry
from tasks.training.register import register_again


@dataclass(frozen=True, slots=True)
class Workspace:
    """The store whose ledger decides, and the MLflow that follows it."""

    store: Store
    tracking: schema.Tracking


@dataclass(frozen=True, slots=True)
class Approver:
    """Who decides, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class RegistryState:
    """The ledger, and which version each alias names in MLflow.

    The aliases may stand where any of the entries from ``since`` on left them; ``overrule`` also moves what a person
    moved there.
    """

    entries: Sequence[Decision]
    since: int
    shown: dict[str, str]
    overrule: bool = False


@dataclass(slots=True)
class AliasReport:
    """What stands otherwise than the ledger says, what was put right, new numbers, and models registered again."""

    deviations: list[str] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    renumbered: list[Decision] = field(default_factory=list)
    registered: list[Decision] = field(default_factory=list)


def point_aliases(workspace: Workspace, state: RegistryState) -> AliasReport:
    """Move the aliases that are where the ledger left them, put back those that are gone, and name those moved by hand.

    A model that serves and that MLflow lacks is registered again from the store. What a person moved stays, but no
    model carries ``champion`` that the ledger never promoted.

    Args:
        workspace: The store whose ledger decides, and the MLflow that follows it.
        state: The ledger's entries, and which version each alias names now.

    Returns:
        What stands otherwise than the ledger says, what was put right, and new entries about changed numbers.
    """
    report = AliasReport()
    assignments = [resolve_aliases(state.entries[:end]) for end in range(state.since, len(state.entries) + 1)]
    for alias, decision in assignments[-1].items():
        version = _find_version(workspace, alias, decision, state, report) if decision else None
        if version and decision:
            _renumber(workspace, decision, version, report)
        if state.shown.get(alias) != (version.number if version else None):
            _move_alias(workspace, alias, version, [assignment[alias] for assignment in assignments], state, report)
    return report


def _find_version(
    workspace: Workspace, alias: str, decision: Decision, state: RegistryState, report: AliasReport
) -> RegisteredVersion | None:
    """Find the version that holds a model, first where the alias is: that is a sixth of the time of a search by tags.

    Returns:
        The version; None where MLflow lost it. The champion is registered again then.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    url, model, number = workspace.tracking.url, workspace.tracking.model, state.shown.get(alias)
    named = registry.version_numbered(url, model, number) if number else None
    if named and named.matches(decision):
        return named
    version = registry.version_of(url, model, decision)
    if version or alias != "champion":
        return version
    lost = f"MLflow does not hold version {decision.model_version}, which serves"
    last = find_last_decision(workspace.store.ledger.entries(), decision.model)
    try:
        version = register_again(workspace.store, workspace.tracking, last)
    except ServiceUnavailableError:
        raise
    except PedigreeError as problem:
        report.deviations.append(f"{lost}, and it could not be registered again: {str(problem).rstrip('.')}")
        return None
    report.registered.append(last)
    report.corrections.append(f"{lost}: it is registered again from the store, as version {version.number}")
    return version


def _move_alias(
    workspace: Workspace,
    alias: str,
    version: RegisteredVersion | None,
    decisions: Sequence[Decision | None],
    state: RegistryState,
    report: AliasReport,
) -> None:
    """Point an alias at a version, or at nothing, unless a person moved it; say what a person did."""
    url, model, number = workspace.tracking.url, workspace.tracking.model, state.shown.get(alias)
    current = registry.version_numbered(url, model, number) if number else None
    untouched = number is None or any(decision and current and current.matches(decision) for decision in decisions)
    unfit = alias == "champion" and not (current and _was_promoted(state.entries, current))
    if not (untouched or unfit or state.overrule):
        report.deviations.append(
            _deviation(workspace, alias, current or RegisteredVersion(str(number), "", {}), version, state, report)
        )
        return
    if not registry.set_alias(url, model, alias, version.number if version else None):
        report.deviations.append(f"the alias {alias} cannot name version {version and version.number}: MLflow lost it")
    elif number is None and not report.corrections and _all_registered(workspace, decisions):
        report.corrections.append(_correction(f"the alias {alias} had been removed by hand in MLflow", version))
    elif not untouched and not state.overrule:
        message = (
            f"the alias {alias} had been moved by hand in MLflow to version {number}, which the ledger never promoted,"
        )
        report.corrections.append(_correction(message, version))


def _all_registered(workspace: Workspace, decisions: Sequence[Decision | None]) -> bool:
    """Tell whether MLflow holds all models that an alias may have named: with a lost version its aliases go as well."""
    models = {decision.model: decision for decision in decisions if decision}
    versions = (
        registry.version_of(workspace.tracking.url, workspace.tracking.model, decision) for decision in models.values()
    )
    return None not in decisions and all(versions)


def _correction(message: str, version: RegisteredVersion | None) -> str:
    return f"{message} and names {f'version {version.number} again' if version else 'none'}"


def _deviation(
    workspace: Workspace,
    alias: str,
    current: RegisteredVersion,
    version: RegisteredVersion | None,
    state: RegistryState,
    report: AliasReport,
) -> str:
    """Say where a person moved an alias, and for the champion which command settles it, either way."""
    message = (
        f"the alias {alias} was moved by hand in MLflow to version {current.number} and stays there, while the ledger"
    )
    message += f" says version {version.number}" if version else " says no version"
    return message + (_settling_commands(workspace, current, state, report) if alias == "champion" else "")


def _settling_commands(
    workspace: Workspace, current: RegisteredVersion, state: RegistryState, report: AliasReport
) -> str:
    decision = next(entry for entry in reversed(state.entries) if current.matches(entry))
    _renumber(workspace, decision, current, report)
    entries = [*state.entries, *report.renumbered]
    serving = resolve_aliases(entries)["champion"]
    commands = [build_promotion_command(entries, find_last_decision(entries, decision.model))]
    commands += [f"pedigree model promote {find_shortest_name(entries, serving)}"] if serving else []
    return f" ({' or '.join(filter(None, commands))} settles it)" if any(commands) else ""


def _was_promoted(entries: Sequence[Decision], version: RegisteredVersion) -> bool:
    return any(was_promoted(entries, entry.model) for entry in entries if version.matches(entry))


def _renumber(workspace: Workspace, decision: Decision, version: RegisteredVersion, report: AliasReport) -> None:
    """Write into the ledger that MLflow holds a model under another number than the ledger knew."""

    def make_decision(entries: list[Decision]) -> Decision | None:
        last = find_last_decision(entries, decision.model)
        if last.model_version == version.number:
            return None
        return replace(
            last,
            number=entries[-1].number + 1,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            outcome="renumbered",
            champion=entries[-1].champion,
            against=entries[-1].champion,
            run_id=version.run_id or last.run_id,
            model_version=version.number,
            reason=f"MLflow holds it as version {version.number}, and no longer as version {last.model_version}",
            rules=[],
            person="",
            why="",
            figures={},
        )

    ledger = workspace.store.ledger
    written = None if decision.model_version == version.number else ledger.decide(make_decision)
    if written:
        ledger.mark_applied(written.number)
        report.renumbered.append(written)

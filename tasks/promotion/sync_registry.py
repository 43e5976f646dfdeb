"""The registry follows the ledger: pending decisions are finished in MLflow, and what differs there is said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from configs import schema
from configs.errors import PedigreeError, ServiceUnavailableError, SettingsError
from tasks.domain.registry.decisions import Decision, build_promotion_command, find_waiting
from tasks.promotion.aliases import AliasReport, RegistryState, Workspace, point_aliases
from tasks.promotion.annotate_runs import annotate_runs, annotate_version
from tasks.serving.served_package import check_champion
from tasks.step import log_line, step
from tasks.stores.store import Store
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.owner import check_owner


@dataclass(frozen=True, slots=True)
class Lag:
    """Whether MLflow and the ledger tell of different times, decisions that MLflow has lost, and what to say of it."""

    differs: bool
    lost: tuple[Decision, ...] = ()
    messages: tuple[str, ...] = ()


def measure_lag(
    tracking: schema.Tracking, entries: Sequence[Decision], handled: Sequence[Decision], followed: str | None
) -> Lag:
    """Compare how far MLflow says that it has followed with the decisions that were once shown there.

    Args:
        tracking: The MLflow that is asked.
        entries: All entries of the ledger.
        handled: Those that were shown in MLflow once.
        followed: The number of the last decision that MLflow says it has followed; None of an MLflow from before it
            said so, which is asked for the versions of the latest decisions.

    Returns:
        Which decisions MLflow has lost, and what to say about it.
    """
    real = [decision for decision in handled if decision.outcome != "renumbered"]
    if followed is None:
        return _lag_of_versions(tracking, real)
    shown = int(followed) if followed.isdecimal() else 0
    if entries and shown > entries[-1].number:
        words = f"the ledger is older than MLflow, which had followed decision {shown}: the ledger says who serves"
        return Lag(differs=True, messages=(words,))
    lost = [decision for decision in real if decision.number > shown]
    return _describe_lag(lost, shown) if lost else Lag(differs=False)


def _lag_of_versions(tracking: schema.Tracking, handled: Sequence[Decision]) -> Lag:
    """Look which decision the versions in MLflow tell of last."""
    if handled and not registry.find_version(tracking.url, tracking.model, {}):
        return Lag(differs=True)
    lost: list[Decision] = []
    for decision in reversed(handled):
        version = registry.version_of(tracking.url, tracking.model, decision)
        shown = version.tags.get("pedigree.decision", "0") if version else "0"
        if shown.isdecimal() and int(shown) >= decision.number:
            break
        lost.insert(0, decision)
    return (
        _describe_lag(lost, handled[-len(lost) - 1].number if len(lost) < len(handled) else 0)
        if lost
        else Lag(differs=False)
    )


def _describe_lag(lost: Sequence[Decision], shown: int) -> Lag:
    words = f"MLflow is older than the ledger, as after a restored copy: it had followed decision {shown} and not"
    return Lag(differs=True, lost=tuple(lost), messages=(f"{words} {lost[-1].number}, and follows the ledger again",))


_BY_HAND = "pedigree.moved_by_hand"
_FOLLOWED = "pedigree.followed"


@dataclass(frozen=True, slots=True)
class RegistrySync:
    """The decisions that MLflow shows from now on, notes on what stands otherwise there, and who waits for a person.

    ``notes`` also say what was put right; ``way`` is the command by which a person lets the waiting version serve, and
    ``unmoved`` says why MLflow does not let the aliases follow. ``before`` is what the same run has said already,
    and ``standing`` those of the notes that the next look would repeat.
    """

    finished: tuple[Decision, ...]
    notes: tuple[str, ...]
    waiting: Decision | None = None
    command: str = ""
    alias_problem: str = ""
    earlier_messages: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()
    alarm: str = ""

    def __str__(self) -> str:
        """Say what MLflow was told, and what was found there; nothing where it shows what the ledger says already."""
        decisions = ", ".join(str(decision) for decision in self.finished)
        return "; ".join(filter(None, (decisions, *self.notes)))

    def messages(self, own_number: int | None = None) -> tuple[str, ...]:
        """List what a run says beside its own decision: what it finished for an earlier run, notes, and who waits."""
        late = [
            f"{decision} is finished now, which an earlier run could not"
            for decision in self.finished
            if decision.number != own_number
        ]
        alarm = [self.alarm] if self.alarm else []
        return tuple(
            dict.fromkeys((*alarm, *self.earlier_messages, *late, *self.notes, *self.describe_waiting(own_number)))
        )

    def describe_waiting(self, own_number: int | None = None) -> tuple[str, ...]:
        """Say who waits for a person, and for which command."""
        decision = self.waiting
        return (
            (f"version {decision.model_version} waits for {self.command}",)
            if decision and decision.number != own_number
            else ()
        )

    def leave_out(self, number: int) -> "RegistrySync":
        """Leave out a decision of another run that is still at work, and finishes it as well."""
        return replace(self, finished=tuple(decision for decision in self.finished if decision.number != number))

    def add_earlier(self, earlier: "RegistrySync") -> "RegistrySync":
        """Add to what a run says at its end what it found and finished before it trained."""
        repeated = {*earlier.deviations, *earlier.describe_waiting()}
        before = tuple(word for word in earlier.messages() if word not in repeated)
        # Also of a model that this run has replaced: whoever was served meanwhile got what nobody registered.
        return replace(self, earlier_messages=before, alarm=self.alarm or earlier.alarm)


def follow_ledger(store: Store, tracking: schema.Tracking, *, overrule: bool = False) -> RegistrySync:
    """Finish all pending decisions in MLflow.

    What MLflow refuses, and what it has lost, is reported and holds up nothing else.

    Args:
        store: The store whose ledger decides.
        tracking: The MLflow that follows it.
        overrule: Also move aliases that a person moved by hand.

    Returns:
        What was finished, and what stands otherwise than the ledger says.

    Raises:
        SettingsError: The registered model is another store's.
        ServiceUnavailableError: MLflow does not answer; what is pending stays so for the next run.
    """
    ledger = store.ledger
    entries = ledger.verified_entries()
    pending = ledger.pending(entries)
    try:
        shown, tags = registry.read_aliases_and_tags(tracking.url, tracking.model)
        check_owner(store, tracking.url, tracking.model, tags)
        behind = measure_lag(tracking, entries, ledger.handled(entries, pending), tags.get(_FOLLOWED))
        state = RegistryState(entries, _since(entries, pending, behind), shown, overrule)
        report, unmoved = _try_point_aliases(Workspace(store, tracking), state)
        described = [annotate_version(tracking, decision.model, entries) for decision in report.registered]
        annotated, refused = _annotate_all(Workspace(store, tracking), [*behind.lost, *pending], entries)
        _tag_model(tracking, tags, report, entries)
    except ServiceUnavailableError as outage:
        raise ServiceUnavailableError(_describe_unfinished(pending, outage)) from outage
    # Who decided meanwhile may have moved the aliases before we did: the last one to look leaves them right.
    if pending and len(ledger.files()) > len(entries) + len(report.renumbered):
        return follow_ledger(store, tracking, overrule=overrule)
    finished = [decision for decision in pending if decision in annotated and not unmoved]
    for decision in finished:
        ledger.mark_applied(decision.number)
    new = [f"MLflow takes no description: {why}" for why in described if why]
    new += [
        f"MLflow refuses {decision}: {why}" for decision, why in refused if ledger.mark_refused(decision.number, why)
    ]
    waits = find_waiting(entries)
    way = build_promotion_command(entries, waits) if waits else ""
    notes = (*behind.messages, *report.corrections, *report.deviations, *([unmoved] if unmoved else []), *new)
    return RegistrySync(tuple(finished), notes, waits, way, unmoved, deviations=tuple(report.deviations))


def check_served_files(sync: RegistrySync, store: Store, tracking: schema.Tracking) -> RegistrySync:
    """Raise the alarm where MLflow serves other files than were registered.

    Args:
        sync: What was just finished; where that is a decision, every file is compared, else only a few.
        store: The store that holds the hashes of what was packaged.
        tracking: The MLflow that serves.

    Returns:
        The same with a note or an alarm.
    """
    serving = store.ledger.champion()
    if serving is None:
        return sync
    served_files = check_champion(store, tracking, serving, every_file=bool(sync.finished))
    notes = (*sync.notes, *([served_files.note] if served_files.note else []))
    return replace(sync, notes=notes, alarm=served_files.alarm)


def _since(entries: Sequence[Decision], pending: Sequence[Decision], behind: Lag) -> int:
    """Tell after how many entries the aliases may stand that somebody other than a person left."""
    if behind.differs:
        return 0
    return list(entries).index(pending[0]) if pending else len(entries)


def _try_point_aliases(workspace: Workspace, state: RegistryState) -> tuple[AliasReport, str]:
    """Point the aliases, or say why MLflow does not let us."""
    try:
        return point_aliases(workspace, state), ""
    except (ServiceUnavailableError, SettingsError):
        raise
    except PedigreeError as problem:
        return AliasReport(), f"MLflow does not let the aliases follow the ledger: {str(problem).rstrip('.')}"


def _annotate_all(
    workspace: Workspace, decisions: Sequence[Decision], entries: Sequence[Decision]
) -> tuple[list[Decision], list[tuple[Decision, str]]]:
    """Show each decision; return those that MLflow took, and those that it refuses, each with the reason."""
    store, tracking = workspace.store, workspace.tracking
    answers = [(decision, annotate_runs(store, tracking, decision, entries)) for decision in decisions]
    return [decision for decision, why in answers if not why], [(decision, why) for decision, why in answers if why]


def _tag_model(
    tracking: schema.Tracking, tags: dict[str, str], report: AliasReport, entries: Sequence[Decision]
) -> None:
    """Write onto the model how far MLflow has followed, and what a person moved there."""
    last = str(max((entry.number for entry in (*entries, *report.renumbered)), default=0))
    for name, text in ((_BY_HAND, "; ".join(report.deviations)), (_FOLLOWED, last if entries else "")):
        if text != tags.get(name, ""):
            _set_tag(tracking, name, text)


def _set_tag(tracking: schema.Tracking, name: str, text: str) -> None:
    """Write a tag of the model; who may only read has been told by what matters more."""
    try:
        registry.tag_model(tracking.url, tracking.model, name, text)
    except ServiceUnavailableError:
        raise
    except PedigreeError:
        return


def _describe_unfinished(pending: Sequence[Decision], problem: ServiceUnavailableError) -> str:
    if not pending:
        return str(problem)
    which = ", ".join(str(decision) for decision in pending)
    return f"The ledger holds {which}, and the next run finishes it in MLflow; this one could not: {problem}"


_ABANDONED = {
    "pedigree.outcome": "abandoned",
    "pedigree.reason": "its run died before a decision, and a later one found other photographs or settings",
}


@step(hours=2)
def sync_registry(
    settings: schema.Store, tracking: schema.Tracking, earlier: RegistrySync | None = None
) -> RegistrySync:
    """Finish every pending decision in MLflow, say what stands there otherwise, and close abandoned runs.

    Args:
        settings: Where the store is.
        tracking: The MLflow that follows the ledger.
        earlier: What the same run had finished before it trained.

    Returns:
        What was finished, and what stands otherwise than the ledger says.

    Raises:
        ServiceUnavailableError: MLflow does not answer; what is pending stays so for the next run.
    """
    store = Store(settings.url)
    sync = follow_ledger(store, tracking)
    try:
        closed = runs.close_abandoned(tracking.url, tracking.experiment, store.url, _ABANDONED)
    except ServiceUnavailableError:
        raise
    except PedigreeError as problem:
        log_line(f"MLflow runs that earlier runs left open stay open: {problem}")
        closed = []
    for run_id in closed:
        log_line(
            f"The MLflow run {run_id}, which an earlier run left open, is closed: {_ABANDONED['pedigree.reason']}."
        )
    sync = check_served_files(sync, store, tracking)
    return sync.add_earlier(earlier) if earlier else sync

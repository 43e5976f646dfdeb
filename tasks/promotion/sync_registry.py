"""How far behind the ledger an MLflow is, or ahead of it: either may have been put back from an older copy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from configs import schema
from configs.errors import Outage, Problem, SettingsProblem
from tasks.domain.registry.decisions import Decision, promotion_command, waiting
from tasks.promotion.aliases import Place, Pointed, State, point_aliases
from tasks.promotion.annotate_runs import tell
from tasks.serving.served_package import check_champion
from tasks.step import say, step
from tasks.stores.files.ledger import Ledger
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.ownership import check_owner


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


_BY_HAND = "pedigree.moved_by_hand"
_FOLLOWED = "pedigree.followed"


@dataclass(frozen=True, slots=True)
class Followed:
    """The decisions that MLflow shows from now on, notes on what stands otherwise there, and who waits for a person.

    ``notes`` also say what was put right; ``way`` is the command by which a person lets the waiting version serve, and
    ``unmoved`` says why MLflow does not let the aliases follow. ``before`` is what the same run has said already,
    and ``standing`` those of the notes that the next look would repeat.
    """

    finished: tuple[Decision, ...]
    notes: tuple[str, ...]
    waiting: Decision | None = None
    way: str = ""
    unmoved: str = ""
    before: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    alarm: str = ""

    def __str__(self) -> str:
        """Say what MLflow was told, and what was found there; nothing where it shows what the ledger says already."""
        told = ", ".join(str(one) for one in self.finished)
        return "; ".join(filter(None, (told, *self.notes)))

    def words(self, own: int | None = None) -> tuple[str, ...]:
        """List what a night says beside its own decision: what it finished for an earlier run, notes, and who waits."""
        late = [f"{one} is finished now, which an earlier run could not" for one in self.finished if one.number != own]
        alarm = [self.alarm] if self.alarm else []
        return tuple(dict.fromkeys((*alarm, *self.before, *late, *self.notes, *self.waits(own))))

    def waits(self, own: int | None = None) -> tuple[str, ...]:
        """Say who waits for a person, and for which command."""
        one = self.waiting
        return (f"version {one.model_version} waits for {self.way}",) if one and one.number != own else ()

    def beside(self, number: int) -> "Followed":
        """Leave out a decision of another run that is still at work, and finishes it as well."""
        return replace(self, finished=tuple(one for one in self.finished if one.number != number))

    def after(self, earlier: "Followed") -> "Followed":
        """Add to what a night says at its end what it found and finished before it trained."""
        again = {*earlier.standing, *earlier.waits()}
        before = tuple(word for word in earlier.words() if word not in again)
        # Also of a model that this night has replaced: whoever was served meanwhile got what nobody registered.
        return replace(self, before=before, alarm=self.alarm or earlier.alarm)


def follow_ledger(store: str, place: schema.Tracking, *, overrule: bool = False) -> Followed:
    """Finish all pending decisions in MLflow; aliases that a person moved there stay unless a person overrules that.

    What MLflow refuses, and what it has lost, is said and holds up nothing else.

    Raises:
        SettingsProblem: The registered model is another store's.
        Outage: MLflow does not answer; what is pending stays so for the next run.
    """
    ledger = Ledger(store)
    entries = ledger.checked()
    pending = ledger.pending(entries)
    try:
        shown, tags = registry.described(place.url, place.model)
        check_owner(store, place.url, place.model, tags)
        behind = lag(place, entries, ledger.handled(entries, pending), tags.get(_FOLLOWED))
        state = State(entries, _since(entries, pending, behind), shown, overrule)
        pointed, unmoved = _pointed(Place(store, place), state)
        done, refused = _told(Place(store, place), [*behind.lost, *pending])
        _note_state(place, tags, pointed, entries)
    except Outage as outage:
        raise _unfinished(pending, outage) from outage
    # Who decided meanwhile may have moved the aliases before we did: the last one to look leaves them right.
    if pending and len(ledger.files()) > len(entries) + len(pointed.renumbered):
        return follow_ledger(store, place, overrule=overrule)
    finished = [one for one in pending if one in done and not unmoved]
    for one in finished:
        ledger.mark_applied(one.number)
    new = [f"MLflow refuses {one}: {why}" for one, why in refused if ledger.mark_refused(one.number, why)]
    waits = waiting(entries)
    way = promotion_command(entries, waits) if waits else ""
    notes = (*behind.words, *pointed.righted, *pointed.standing, *([unmoved] if unmoved else []), *new)
    return Followed(tuple(finished), notes, waits, way, unmoved, standing=tuple(pointed.standing))


def compared(followed: Followed, store: str, place: schema.Tracking) -> Followed:
    """Say loudly where MLflow serves other files than were registered; where something was decided, look at all."""
    serving = Ledger(store).champion()
    if serving is None:
        return followed
    found = check_champion(store, place, serving, whole=bool(followed.finished))
    notes = (*followed.notes, *([found.note] if found.note else []))
    return replace(followed, notes=notes, alarm=found.alarm)


def _since(entries: Sequence[Decision], pending: Sequence[Decision], behind: Lag) -> int:
    """Tell after how many entries the aliases may stand that somebody other than a person left."""
    if behind.any:
        return 0
    return list(entries).index(pending[0]) if pending else len(entries)


def _pointed(place: Place, state: State) -> tuple[Pointed, str]:
    """Point the aliases, or say why MLflow does not let us."""
    try:
        return point_aliases(place, state), ""
    except (Outage, SettingsProblem):
        raise
    except Problem as problem:
        return Pointed(), f"MLflow does not let the aliases follow the ledger: {str(problem).rstrip('.')}"


def _told(place: Place, decisions: Sequence[Decision]) -> tuple[list[Decision], list[tuple[Decision, str]]]:
    """Show each decision; return those that MLflow took, and those that it refuses, each with the reason."""
    told = [(one, tell(place.store, place.tracking, one)) for one in decisions]
    return [one for one, why in told if not why], [(one, why) for one, why in told if why]


def _note_state(place: schema.Tracking, tags: dict[str, str], pointed: Pointed, entries: Sequence[Decision]) -> None:
    """Write onto the model how far MLflow has followed, and what a person moved there."""
    last = str(max((one.number for one in (*entries, *pointed.renumbered)), default=0))
    for name, text in ((_BY_HAND, "; ".join(pointed.standing)), (_FOLLOWED, last if entries else "")):
        if text != tags.get(name, ""):
            _note(place, name, text)


def _note(place: schema.Tracking, name: str, text: str) -> None:
    """Write a tag of the model; who may only read has been told by what matters more."""
    try:
        registry.note(place.url, place.model, name, text)
    except Outage:
        raise
    except Problem:
        return


def _unfinished(pending: Sequence[Decision], problem: Outage) -> Outage:
    if not pending:
        return problem
    which = ", ".join(str(one) for one in pending)
    return Outage(f"The ledger holds {which}, and the next run finishes it in MLflow; this one could not: {problem}")


_ABANDONED = {
    "pedigree.outcome": "abandoned",
    "pedigree.reason": "its night died before a decision, and a later one found other photographs or settings",
}


@step(hours=2)
def sync_registry(settings: schema.Settings, earlier: Followed | None = None) -> Followed:
    """Finish every pending decision in MLflow, say what stands there otherwise, and close abandoned runs.

    What the same night has finished ``earlier``, before it trained, belongs to what it says at its end.
    """
    followed = follow_ledger(settings.store.url, settings.tracking)
    place = settings.tracking
    try:
        closed = runs.close_abandoned(place.url, place.experiment, settings.store.url, _ABANDONED)
    except Outage:
        raise
    except Problem as problem:
        say(f"MLflow runs that earlier nights left open stay open: {problem}")
        closed = []
    for run_id in closed:
        say(f"The MLflow run {run_id}, which an earlier night left open, is closed: {_ABANDONED['pedigree.reason']}.")
    followed = compared(followed, settings.store.url, place)
    return followed.after(earlier) if earlier else followed

"""What a person decides about models: to promote one, to roll the champion back, to hold one and to lift that again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from configs import schema
from configs.errors import Problem, SettingsProblem
from configs.load import absolute, resolve_tracking
from tasks.domain.registry import decisions
from tasks.domain.registry.decisions import Decided, Decision, held_words, hold_on, judged_against, last_about, word_for
from tasks.promotion.aliases import Place
from tasks.promotion.sync_registry import Followed, follow_ledger
from tasks.step import step
from tasks.stores.files.format_version import check_format
from tasks.stores.files.ledger import Ledger
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.ownership import check_owner


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Overruled:
    """What a person decided; no decision where the ledger said so already, and only MLflow had to follow."""

    decision: Decision | None
    champion: str
    followed: Followed

    def __str__(self) -> str:
        """Say what was decided, and who serves now."""
        told = f"{self.decision}: {self.decision.reason}" if self.decision else "nothing to decide"
        return "; ".join((told, f"version {self.champion or 'none'} serves", *self._notes()))

    def plain(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        decision = asdict(self.decision) if self.decision else None
        return {"decision": decision, "champion": self.champion or None, "notes": list(self._notes())}

    def _notes(self) -> tuple[str, ...]:
        return self.followed.words(self.decision.number if self.decision else None)


def promote(place: Place, version: str, person: Person, instead_of: str = "") -> Overruled:
    """Make a version champion that the gate refused or left to a person, or one that served before.

    It must have been judged against the version that serves, or ``instead_of`` must name that one; raises Problem where
    it was not, where the ledger does not know the version, or where it is held.
    """
    _check(place, person)
    about = _meant(place, version)

    def ruling(entries: Sequence[Decision]) -> Decision | None:
        serving = decisions.champion(entries)
        if serving and serving.model == about.model:
            return None
        if hold := hold_on(entries, about.head, about.dataset):
            raise Problem(f"Version {about.model_version} cannot be promoted: {held_words(hold, entries)}.")
        _same_champion(entries, about, instead_of)
        number = entries[-1].number + 1
        reason = f"in place of version {serving.model_version}" if serving else "as the first champion"
        return _entry(entries, about, person, "promoted", reason=reason, champion=number)

    return _settle(place, Ledger(place.store).decide(ruling), overrule=True)


def roll_back(place: Place, person: Person) -> Overruled:
    """Let the model serve again that the champion replaced, and hold the champion's weights and data."""
    _check(place, person)
    seen = Ledger(place.store).champion()

    def ruling(entries: Sequence[Decision]) -> Decision:
        serving, former = decisions.champion(entries), decisions.previous(entries)
        if serving is None or former is None:
            only = f"version {serving.model_version} is the first champion" if serving else "there is no champion"
            raise Problem(f"Nothing to roll back to in {place.store}: {only}.")
        if seen and serving.number != seen.number:
            message = f"Version {serving.model_version} became champion meanwhile: look at it, and roll back again."
            raise Problem(message)
        if hold := hold_on(entries, former.head):
            raise Problem(f"Version {former.model_version} cannot come back: {held_words(hold, entries)}.")
        reason = f"rolled back to version {former.model_version}"
        return _entry(entries, serving, person, "rolled-back", reason=reason, champion=former.number)

    return _settle(place, Ledger(place.store).decide(ruling), overrule=True)


def hold(place: Place, version: str, person: Person) -> Overruled:
    """Keep a version's weights and data from being promoted until somebody lifts that; who serves stays."""
    _check(place, person)
    about = _meant(place, version)

    def ruling(entries: Sequence[Decision]) -> Decision:
        reason = "held: neither its weights nor its data are promoted"
        return _entry(entries, about, person, "held", reason=reason, champion=entries[-1].champion)

    return _settle(place, Ledger(place.store).decide(ruling))


def lift(place: Place, version: str, person: Person) -> Overruled:
    """End the hold on a version, by whomever and however it came; raise Problem where there is none."""
    _check(place, person)
    about = _meant(place, version)

    def ruling(entries: Sequence[Decision]) -> Decision:
        found = hold_on(entries, about.head)
        if found is None:
            raise Problem(f"Version {about.model_version} is not held: pedigree model list shows which ones are.")
        reason = "lifted: its weights and data may be promoted again"
        return _entry(entries, found, person, "lifted", reason=reason, champion=entries[-1].champion)

    return _settle(place, Ledger(place.store).decide(ruling))


def _check(place: Place, person: Person) -> None:
    if not person.name.strip():
        raise SettingsProblem("Say who decides: the ledger keeps who decided, when and for what reason.")
    if not person.why.strip():
        raise SettingsProblem("Say why: the ledger keeps who decided, when and for what reason.")
    open_bucket(place.store).check()
    check_format(place.store)
    runs.check(place.tracking.url)
    url, model = place.tracking.url, place.tracking.model
    check_owner(place.store, url, model, registry.described(url, model)[1])


def _meant(place: Place, word: str) -> Decision:
    """Find the last decision about the model that a person means; a number must mean the same in MLflow.

    Raises SettingsProblem where the ledger does not know it, or where the number is another model's in MLflow.
    """
    ledger, number = Ledger(place.store), word.rpartition("/")[2]
    version = (
        registry.version_numbered(place.tracking.url, place.tracking.model, number) if number.isdecimal() else None
    )
    if version is None:
        return ledger.named(word)
    entries = ledger.entries()
    known = dict.fromkeys(one.model for one in entries if version.holds(one))
    there = [last_about(entries, model) for model in known]
    both = {one.model: one for one in (*decisions.meant(entries, number), *there)}
    if not both:
        return ledger.named(word)
    if there and len(both) == 1:
        return there[0]
    told = "means different models in the ledger and in MLflow"
    if not there:
        told = f"in MLflow is a model that the ledger does not know (head {version.tags.get('pedigree.head', '')[:12]})"
    named = decisions.candidates(list(both.values()))
    raise SettingsProblem(f"Version {number} {told}: name the one that is meant by its weights, {named}.")


def _same_champion(entries: Sequence[Decision], about: Decision, instead_of: str) -> None:
    """Raise Problem where another version serves than the person knows of."""
    serving, rival = decisions.champion(entries), judged_against(entries, about)
    if _knows(entries, serving, rival, instead_of):
        return
    now, judged = (one.model_version if one else "none" for one in (serving, rival))
    told = f"--instead-of says version {instead_of}" if instead_of else f"it was judged against version {judged}"
    message = f"Version {about.model_version} is not promoted, since {told} and version {now} serves"
    option = f"--instead-of {word_for(entries, serving)}" if serving else ""
    raise Problem(f"{message}: look at both, and add {option} to replace it all the same.")


def _knows(entries: Sequence[Decision], serving: Decision | None, rival: Decision | None, instead_of: str) -> bool:
    """Tell whether the version that a person has in mind is the one that serves."""
    if instead_of and serving:
        named = [one.model for one in decisions.meant(entries, instead_of)]
        return instead_of == serving.model_version or named == [serving.model]
    return (serving.model if serving else None) == (rival.model if rival else None)


def _entry(
    entries: Sequence[Decision], about: Decision, person: Person, outcome: Decided, *, reason: str, champion: int | None
) -> Decision:
    return replace(
        about,
        number=entries[-1].number + 1,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        outcome=outcome,
        champion=champion,
        against=entries[-1].champion,
        reason=reason,
        person=person.name.strip(),
        why=person.why.strip(),
    )


def _settle(place: Place, decision: Decision | None, *, overrule: bool = False) -> Overruled:
    """Let MLflow follow; where the person said who serves, that goes for aliases which somebody moved by hand too."""
    followed = follow_ledger(place.store, place.tracking, overrule=overrule)
    if followed.unmoved:
        told = f"The ledger holds {decision}" if decision else "The ledger has nothing to add"
        raise Problem(f"{told}, and another model may serve: {'; '.join(followed.notes)}.")
    serving = Ledger(place.store).champion()
    return Overruled(decision, serving.model_version if serving else "", followed)


@step(hours=2)
def approve(store: schema.Store, tracking: schema.Tracking, version: str, person: Person, instead_of: str) -> Overruled:
    """Write the promotion into the ledger, and let MLflow follow."""
    place = Place(absolute(store.url), resolve_tracking(tracking))
    return promote(place, version, person, instead_of)


@step(hours=2)
def roll_back_champion(store: schema.Store, tracking: schema.Tracking, person: Person) -> Overruled:
    """Write the roll-back and its hold into the ledger, and let MLflow follow."""
    return roll_back(Place(absolute(store.url), resolve_tracking(tracking)), person)

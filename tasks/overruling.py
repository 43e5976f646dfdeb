"""What a person decides about models: to promote one, to roll the champion back, to hold one and to lift that again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from configs import schema
from configs.problems import Problem, SettingsProblem
from tasks.domain import decisions
from tasks.domain.decisions import Decided, Decision, held_words, hold_on
from tasks.following import Followed, follow
from tasks.stores import tracking
from tasks.stores.bucket import open_bucket
from tasks.stores.format import check_format
from tasks.stores.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Place:
    """The store whose ledger decides, and the MLflow that follows it."""

    store: str
    tracking: schema.Tracking


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
    about = Ledger(place.store).named(version)

    def ruling(entries: Sequence[Decision]) -> Decision | None:
        serving = decisions.champion(entries)
        if serving and serving.model_version == about.model_version:
            return None
        if hold := hold_on(entries, about.head, about.dataset):
            raise Problem(f"Version {about.model_version} cannot be promoted: {held_words(hold)}.")
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
            raise Problem(f"Version {former.model_version} cannot come back: {held_words(hold)}.")
        reason = f"rolled back to version {former.model_version}"
        return _entry(entries, serving, person, "rolled-back", reason=reason, champion=former.number)

    return _settle(place, Ledger(place.store).decide(ruling), overrule=True)


def hold(place: Place, version: str, person: Person) -> Overruled:
    """Keep a version's weights and data from being promoted until somebody lifts that; who serves stays."""
    _check(place, person)
    about = Ledger(place.store).named(version)

    def ruling(entries: Sequence[Decision]) -> Decision:
        reason = "held: neither its weights nor its data are promoted"
        return _entry(entries, about, person, "held", reason=reason, champion=entries[-1].champion)

    return _settle(place, Ledger(place.store).decide(ruling))


def lift(place: Place, version: str, person: Person) -> Overruled:
    """End the hold on a version, by whomever and however it came; raise Problem where there is none."""
    _check(place, person)
    about = Ledger(place.store).named(version)

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
    tracking.check(place.tracking.url)


def _same_champion(entries: Sequence[Decision], about: Decision, instead_of: str) -> None:
    """Raise Problem where another version serves than the person knows of."""
    serving = decisions.champion(entries)
    now = serving.model_version if serving else ""
    judged = next(one for one in reversed(entries) if one.model_version == about.model_version and one.by_the_gate)
    rival = next((one.model_version for one in entries if one.number == judged.against), "")
    if now == (instead_of or rival):
        return
    told = (
        f"--instead-of says version {instead_of}" if instead_of else f"it was judged against version {rival or 'none'}"
    )
    message = f"Version {about.model_version} is not promoted, since {told} and version {now or 'none'} serves"
    raise Problem(f"{message}: look at both, and add --instead-of {now} to replace it all the same.")


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
    followed = follow(place.store, place.tracking, overrule=overrule)
    serving = Ledger(place.store).champion()
    return Overruled(decision, serving.model_version if serving else "", followed)

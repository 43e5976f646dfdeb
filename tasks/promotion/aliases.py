"""The aliases in MLflow: each names the version that holds the ledger's model, whatever its number is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from configs import schema
from configs.errors import Outage, Problem
from tasks.domain.registry.decisions import Decision, aliases, last_about, promoted_ever, promotion_command, word_for
from tasks.stores.files.ledger import Ledger
from tasks.stores.tracking import registry
from tasks.stores.tracking.registry import Version
from tasks.training.register import register_again


@dataclass(frozen=True, slots=True)
class Place:
    """The store whose ledger decides, and the MLflow that follows it."""

    store: str
    tracking: schema.Tracking


@dataclass(frozen=True, slots=True)
class State:
    """The ledger, and which version each alias names in MLflow.

    The aliases may stand where any of the entries from ``since`` on left them; ``overrule`` also moves what a person
    moved there.
    """

    entries: Sequence[Decision]
    since: int
    shown: dict[str, str]
    overrule: bool = False


@dataclass(slots=True)
class Pointed:
    """What stands otherwise than the ledger says, what was put right, and entries about new numbers."""

    standing: list[str] = field(default_factory=list)
    righted: list[str] = field(default_factory=list)
    renumbered: list[Decision] = field(default_factory=list)


def point_aliases(place: Place, state: State) -> Pointed:
    """Move the aliases that are where we left them, put back those that are gone, and name those moved by hand.

    A model that serves and that MLflow lacks is registered again from the store. What a person moved stays, but no
    model carries ``champion`` that the ledger never promoted.
    """
    done = Pointed()
    left = [aliases(state.entries[:end]) for end in range(state.since, len(state.entries) + 1)]
    for alias, wanted in left[-1].items():
        version = _holding(place, alias, wanted, state, done) if wanted else None
        if version and wanted:
            _renumber(place, wanted, version, done)
        if state.shown.get(alias) != (version.number if version else None):
            _move(place, alias, version, [one[alias] for one in left], state, done)
    return done


def _holding(place: Place, alias: str, wanted: Decision, state: State, done: Pointed) -> Version | None:
    """Find the version that holds a model, first where the alias is; the champion is registered again where it is lost.

    One version by its number is a sixth of the time of a search by tags, and nights with nothing new end here.
    """
    url, model, now = place.tracking.url, place.tracking.model, state.shown.get(alias)
    named = registry.version_numbered(url, model, now) if now else None
    if named and named.holds(wanted):
        return named
    version = registry.version_of(url, model, wanted)
    if version or alias != "champion":
        return version
    lost = f"MLflow does not hold version {wanted.model_version}, which serves"
    last = last_about(Ledger(place.store).entries(), wanted.model)
    try:
        version = register_again(place.store, place.tracking, last)
    except Outage:
        raise
    except Problem as problem:
        done.standing.append(f"{lost}, and it could not be registered again: {str(problem).rstrip('.')}")
        return None
    done.righted.append(f"{lost}: it is registered again from the store, as version {version.number}")
    return version


def _move(
    place: Place, alias: str, version: Version | None, left: Sequence[Decision | None], state: State, done: Pointed
) -> None:
    """Point an alias at a version, or at nothing, unless a person moved it; say what a person did."""
    url, model, now = place.tracking.url, place.tracking.model, state.shown.get(alias)
    current = registry.version_numbered(url, model, now) if now else None
    ours = now is None or any(one and current and current.holds(one) for one in left)
    unfit = alias == "champion" and not (current and _promoted(state.entries, current))
    if not (ours or unfit or state.overrule):
        done.standing.append(_standing(place, alias, current or Version(str(now), "", {}), version, state, done))
        return
    if not registry.point(url, model, alias, version.number if version else None):
        done.standing.append(f"the alias {alias} cannot name version {version and version.number}: MLflow lost it")
    elif now is None and not done.righted and _all_held(place, left):
        done.righted.append(_again(f"the alias {alias} had been removed by hand in MLflow", version))
    elif not ours and not state.overrule:
        told = f"the alias {alias} had been moved by hand in MLflow to version {now}, which the ledger never promoted,"
        done.righted.append(_again(told, version))


def _all_held(place: Place, left: Sequence[Decision | None]) -> bool:
    """Tell whether MLflow holds all models that an alias may have named: with a lost version its aliases go as well."""
    models = {one.model: one for one in left if one}
    versions = (registry.version_of(place.tracking.url, place.tracking.model, one) for one in models.values())
    return None not in left and all(versions)


def _again(told: str, version: Version | None) -> str:
    return f"{told} and names {f'version {version.number} again' if version else 'none'}"


def _standing(place: Place, alias: str, current: Version, version: Version | None, state: State, done: Pointed) -> str:
    """Say where a person moved an alias, and for the champion which command settles it, either way."""
    told = (
        f"the alias {alias} was moved by hand in MLflow to version {current.number} and stays there, while the ledger"
    )
    told += f" says version {version.number}" if version else " says no version"
    return told + (_ways_out(place, current, state, done) if alias == "champion" else "")


def _ways_out(place: Place, current: Version, state: State, done: Pointed) -> str:
    known = next(one for one in reversed(state.entries) if current.holds(one))
    _renumber(place, known, current, done)
    entries = [*state.entries, *done.renumbered]
    serving = aliases(entries)["champion"]
    commands = [promotion_command(entries, last_about(entries, known.model))]
    commands += [f"pedigree model promote {word_for(entries, serving)}"] if serving else []
    return f" ({' or '.join(filter(None, commands))} settles it)" if any(commands) else ""


def _promoted(entries: Sequence[Decision], version: Version) -> bool:
    return any(promoted_ever(entries, one.model) for one in entries if version.holds(one))


def _renumber(place: Place, one: Decision, version: Version, done: Pointed) -> None:
    """Write into the ledger that MLflow holds a model under another number than the ledger knew."""

    def ruling(entries: list[Decision]) -> Decision | None:
        last = last_about(entries, one.model)
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

    ledger = Ledger(place.store)
    written = None if one.model_version == version.number else ledger.decide(ruling)
    if written:
        ledger.mark_applied(written.number)
        done.renumbered.append(written)

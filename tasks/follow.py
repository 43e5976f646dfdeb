"""Step 11: let MLflow follow the ledger, also in what an earlier run decided and could not finish."""

from dataclasses import replace

from configs import schema
from configs.problems import Outage, Problem
from tasks import following
from tasks.served_package import check_champion
from tasks.step import say, step
from tasks.stores import tracking
from tasks.stores.ledger import Ledger

_ABANDONED = {
    "pedigree.outcome": "abandoned",
    "pedigree.reason": "its night died before a decision, and a later one found other photographs or settings",
}


@step(hours=2)
def follow(settings: schema.Settings, earlier: following.Followed | None = None) -> following.Followed:
    """Finish every pending decision in MLflow, say what stands there otherwise, and close abandoned runs.

    What the same night has finished ``earlier``, before it trained, belongs to what it says at its end.
    """
    followed = following.follow(settings.store.url, settings.tracking)
    place = settings.tracking
    try:
        closed = tracking.close_abandoned(place.url, place.experiment, settings.store.url, _ABANDONED)
    except Outage:
        raise
    except Problem as problem:
        say(f"MLflow runs that earlier nights left open stay open: {problem}")
        closed = []
    for run_id in closed:
        say(f"The MLflow run {run_id}, which an earlier night left open, is closed: {_ABANDONED['pedigree.reason']}.")
    return _compared(followed.after(earlier) if earlier else followed, settings)


def _compared(followed: following.Followed, settings: schema.Settings) -> following.Followed:
    """Say loudly where MLflow serves other files than were registered; where something was decided, look at all."""
    serving = Ledger(settings.store.url).champion()
    if serving is None:
        return followed
    place = settings.tracking
    found = check_champion(settings.store.url, place, serving, whole=bool(followed.finished))
    notes = (*followed.notes, *([found.note] if found.note else []))
    return replace(followed, notes=notes, alarm=found.alarm)

"""Step 11: let MLflow follow the ledger, also in what an earlier run decided and could not finish."""

from configs import schema
from configs.problems import Outage, Problem
from tasks import following
from tasks.step import say, step
from tasks.stores import tracking

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
    followed = following.compared(followed, settings.store.url, place)
    return followed.after(earlier) if earlier else followed

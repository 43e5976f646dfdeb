"""Step 11: let MLflow follow the ledger, also in what an earlier run decided and could not finish."""

from configs import schema
from tasks import following
from tasks.step import say, step
from tasks.stores import tracking

_ABANDONED = {
    "pedigree.outcome": "abandoned",
    "pedigree.reason": "its night died before a decision, and a later one found other photographs or settings",
}


@step(hours=2)
def follow(settings: schema.Settings) -> following.Followed:
    """Finish every pending decision in MLflow, say which aliases somebody moved by hand, and close abandoned runs.

    A night that is still at work opens its run when it has trained, minutes before its end, and closes it as any other.
    """
    followed = following.follow(settings.store.url, settings.tracking)
    place = settings.tracking
    for run_id in tracking.close_abandoned(place.url, place.experiment, settings.store.url, _ABANDONED):
        say(f"The MLflow run {run_id}, which an earlier night left open, is closed: {_ABANDONED['pedigree.reason']}.")
    return followed

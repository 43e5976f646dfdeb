"""Step 11: let MLflow follow the ledger, also in what an earlier run decided and could not finish."""

from configs import schema
from tasks import following
from tasks.step import step


@step(hours=2)
def follow(settings: schema.Settings) -> following.Followed:
    """Finish every pending decision in MLflow, and say which aliases somebody moved by hand."""
    return following.follow(settings.store.url, settings.tracking)

"""Step 4c: before anything is trained, see that MLflow can take it, and that it holds what serves."""

from configs import schema
from tasks import following
from tasks.step import step
from tasks.stores import tracking


@step(hours=2)
def restore(settings: schema.Settings) -> following.Followed:
    """Let MLflow catch up with the ledger, register again what serves where MLflow has lost it, and compare its files.

    Raises Problem where the experiment was deleted, and SettingsProblem where the registered model is another store's.
    """
    place = settings.tracking
    tracking.check_experiment(place.url, place.experiment)
    return following.compared(following.follow(settings.store.url, place), settings.store.url, place)

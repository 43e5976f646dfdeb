"""A person's word: the model that served before serves again."""

from configs import schema
from configs.load import absolute, resolve_tracking
from tasks import overruling
from tasks.overruling import Overruled, Person
from tasks.pointing import Place
from tasks.step import step


@step(hours=2)
def roll_back(store: schema.Store, tracking: schema.Tracking, person: Person) -> Overruled:
    """Write the roll-back and its hold into the ledger, and let MLflow follow."""
    return overruling.roll_back(Place(absolute(store.url), resolve_tracking(tracking)), person)

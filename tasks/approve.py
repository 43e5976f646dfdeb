"""A person's word: promote a version that waits for it, or that the gate refused."""

from configs import schema
from configs.load import absolute, resolve_tracking
from tasks import overruling
from tasks.overruling import Overruled, Person
from tasks.pointing import Place
from tasks.step import step


@step(hours=2)
def approve(store: schema.Store, tracking: schema.Tracking, version: str, person: Person, instead_of: str) -> Overruled:
    """Write the promotion into the ledger, and let MLflow follow."""
    place = Place(absolute(store.url), resolve_tracking(tracking))
    return overruling.promote(place, version, person, instead_of)

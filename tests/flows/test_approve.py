"""The forms of the Prefect UI: a person approves a version that waits, and rolls the champion back."""

from pathlib import Path

import pytest

from configs.errors import PedigreeError
from flows.approve import approve
from flows.rollback import rollback
from tasks.promotion.aliases import Workspace
from tasks.stores.files.ledger import Ledger
from tests.servers import PrefectServer
from tests.tasks.deciding import judged, place_at, shown


@pytest.fixture
def place(prefect_server: PrefectServer, tmp_path: Path) -> Workspace:
    """Make a champion, one before it, and a version that waits for a person."""
    assert prefect_server.api_url
    made = place_at(tmp_path)
    for outcome in ("promoted", "promoted", "needs-approval"):
        judged(made, outcome)
    return made


def test_approving_and_rolling_back_are_runs_of_their_own(place: Workspace) -> None:
    """Each ends in a state that says what was done, and the ledger keeps who, when and why."""
    where = _form(place)
    state = approve(**where, version="3", why="it knows puppies", by="ann", return_state=True)
    assert (state.name, shown(place)["champion"]) == ("Promoted", "3")
    state = rollback(**where, why="it does not", by="bob", return_state=True)
    assert (state.name, shown(place)["champion"]) == ("Rolled back", "2")
    told = [(one.outcome, one.person, one.why) for one in Ledger(place.store).entries()[3:]]
    assert told == [("promoted", "ann", "it knows puppies"), ("rolled-back", "bob", "it does not")]


@pytest.mark.parametrize(("by", "why"), [("", "so"), ("ann", "")])
def test_a_form_without_a_name_or_a_reason_is_refused(place: Workspace, by: str, why: str) -> None:
    """The worker's user is nobody's name, and without a reason nobody decides."""
    with pytest.raises(PedigreeError, match="Say w"):
        rollback(**_form(place), why=why, by=by)
    assert len(Ledger(place.store).entries()) == 3


def _form(place: Workspace) -> dict[str, str]:
    return {"store_url": place.store, **{f"tracking_{name}": text for name, text in place.tracking}}

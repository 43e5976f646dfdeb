"""The forms of the Prefect UI: a person approves a version that waits, and rolls the champion back."""

from pathlib import Path

import pytest

from configs.errors import PedigreeError
from flows.approve import approve
from flows.rollback import rollback
from tasks.promotion.aliases import Workspace
from tests.servers import PrefectServer
from tests.tasks.decisions import add_decision, make_workspace, shown


@pytest.fixture
def workspace(prefect_server: PrefectServer, tmp_path: Path) -> Workspace:
    """Make a champion, one before it, and a version that waits for a person."""
    assert prefect_server.api_url
    created = make_workspace(tmp_path)
    for outcome in ("promoted", "promoted", "needs-approval"):
        add_decision(created, outcome)
    return created


def test_approving_and_rolling_back_are_runs_of_their_own(workspace: Workspace) -> None:
    """Each ends in a state that says what was done, and the ledger keeps who, when and why."""
    where = _form(workspace)
    state = approve(**where, version="3", why="it knows puppies", by="ann", return_state=True)
    assert (state.name, shown(workspace)["champion"]) == ("Promoted", "3")
    state = rollback(**where, why="it does not", by="bob", return_state=True)
    assert (state.name, shown(workspace)["champion"]) == ("Rolled back", "2")
    decisions = [(entry.outcome, entry.person, entry.why) for entry in workspace.store.ledger.entries()[3:]]
    assert decisions == [("promoted", "ann", "it knows puppies"), ("rolled-back", "bob", "it does not")]


@pytest.mark.parametrize(("by", "why"), [("", "so"), ("ann", "")])
def test_a_form_without_a_name_or_a_reason_is_refused(workspace: Workspace, by: str, why: str) -> None:
    """The worker's user is nobody's name, and without a reason nobody decides."""
    with pytest.raises(PedigreeError, match="Say w"):
        rollback(**_form(workspace), why=why, by=by)
    assert len(workspace.store.ledger.entries()) == 3


def _form(workspace: Workspace) -> dict[str, str]:
    return {"store_url": workspace.store.url, **{f"tracking_{name}": text for name, text in workspace.tracking}}

"""What a person may decide about models, and what the ledger and MLflow hold afterwards."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from configs.errors import PedigreeError, SettingsError
from tasks.promotion.aliases import Approver, Workspace
from tasks.promotion.overrides import Override, hold, promote, release, roll_back
from tasks.stores.files.ledger import Ledger
from tasks.stores.tracking import registry
from tests.tasks.decisions import ANN, add_decision, make_workspace, shown


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two champions, one after the other, and a version that waits for a person."""
    created = make_workspace(tmp_path)
    for outcome in ("promoted", "promoted", "needs-approval"):
        add_decision(created, outcome)
    return created


def test_a_version_that_waits_is_promoted_by_a_person(workspace: Workspace) -> None:
    """The ledger keeps who, when and why; aliases, tags and all that made the version follow."""
    assert shown(workspace) == {"champion": "2", "challenger": "3", "previous": "1"}
    done = promote(workspace, "3", ANN)
    entries = workspace.store.ledger.entries()
    last = entries[-1]
    assert (last.outcome, last.champion, last.against) == ("promoted", 4, 2)
    assert (last.person, last.why, last.head) == ("ann", "the dogs look right", entries[2].head)
    assert last.time > entries[2].time
    assert shown(workspace) == {"champion": "3", "previous": "2"}
    tags = MlflowClient(workspace.tracking.url).get_model_version("pedigree", "3").tags
    assert (tags["pedigree.outcome"], tags["pedigree.person"]) == ("promoted", "ann")
    assert tags["pedigree.why"] == "the dogs look right"
    assert done.champion == "3"
    assert workspace.store.ledger.pending(entries) == []


def test_a_refused_version_needs_the_word_of_the_person_when_another_one_serves_now(workspace: Workspace) -> None:
    """Figures against a champion that is gone decide nothing, unless the person names the one that serves."""
    add_decision(workspace, "promoted")
    with pytest.raises(PedigreeError, match=r"judged against version 2 and version 4 serves.*--instead-of 4"):
        promote(workspace, "3", ANN)
    with pytest.raises(PedigreeError, match="--instead-of says version 2 and version 4 serves"):
        promote(workspace, "3", ANN, instead_of="2")
    assert len(workspace.store.ledger.entries()) == 4
    assert promote(workspace, "3", ANN, instead_of="4").champion == "3"


def test_promoting_the_champion_decides_nothing(workspace: Workspace) -> None:
    """The ledger says so already, and MLflow's aliases are put where it says."""
    registry.set_alias(workspace.tracking.url, "pedigree", "champion", "1")
    assert promote(workspace, "2", ANN).decision is None
    assert len(workspace.store.ledger.entries()) == 3
    assert shown(workspace)["champion"] == "2"


def test_rolling_back_puts_the_previous_one_back_and_holds(workspace: Workspace) -> None:
    """One call lets version 1 serve again; version 2 gets past neither a person nor anyone until it is lifted."""
    roll_back(workspace, ANN)
    last = workspace.store.ledger.entries()[-1]
    assert (last.outcome, last.model_version, last.champion, last.against) == ("rolled-back", "2", 1, 2)
    assert (last.person, last.why) == ("ann", "the dogs look right")
    assert shown(workspace) == {"champion": "1", "challenger": "3"}
    with pytest.raises(PedigreeError, match=r"version 2 was rolled back by ann on .* pedigree model lift 2"):
        promote(workspace, "2", ANN, instead_of="1")
    release(workspace, "2", Approver("bob", "it was the camera"))
    assert workspace.store.ledger.entries()[-1].person == "bob"
    assert promote(workspace, "2", ANN, instead_of="1").champion == "2"


def test_rolling_back_twice_and_then_no_further(workspace: Workspace) -> None:
    """Each roll-back goes one champion back, and the first champion stays."""
    add_decision(workspace, "promoted")
    assert [roll_back(workspace, ANN).champion for _ in range(2)] == ["2", "1"]
    with pytest.raises(PedigreeError, match="version 1 is the first champion"):
        roll_back(workspace, ANN)


def test_a_model_that_is_held_does_not_come_back(workspace: Workspace) -> None:
    """A roll-back to a held version is refused, and says how to go on."""
    hold(workspace, "1", ANN)
    with pytest.raises(PedigreeError, match=r"Version 1 cannot come back.*pedigree model lift 1"):
        roll_back(workspace, ANN)


def test_a_hold_is_also_on_the_data(tmp_path: Path) -> None:
    """A version with other weights that learned from held data waits for the lift too."""
    workspace = make_workspace(tmp_path)
    add_decision(workspace, "promoted")
    bad = add_decision(workspace, "promoted")
    roll_back(workspace, ANN)
    add_decision(workspace, "rejected", dataset=bad.dataset)
    with pytest.raises(PedigreeError, match="Version 3 cannot be promoted: version 2 was rolled back"):
        promote(workspace, "3", ANN, instead_of="1")
    release(workspace, "2", ANN)
    assert promote(workspace, "3", ANN, instead_of="1").champion == "3"


def test_only_what_is_held_is_lifted(workspace: Workspace) -> None:
    """Lifting what nobody holds is refused, and writes nothing."""
    with pytest.raises(PedigreeError, match="Version 2 is not held"):
        release(workspace, "2", ANN)
    assert len(workspace.store.ledger.entries()) == 3


ACTS: list[Callable[[Workspace, Approver], Override]] = [
    roll_back,
    lambda workspace, person: promote(workspace, "3", person),
    lambda workspace, person: hold(workspace, "3", person),
    lambda workspace, person: release(workspace, "3", person),
]


@pytest.mark.parametrize("act", ACTS)
def test_nobody_decides_without_a_reason(workspace: Workspace, act: Callable[[Workspace, Approver], Override]) -> None:
    """An empty reason is refused before anything is written."""
    with pytest.raises(SettingsError, match="Say why"):
        act(workspace, Approver("ann", "  "))
    assert len(workspace.store.ledger.entries()) == 3


def test_an_unknown_version(workspace: Workspace) -> None:
    """A version that the ledger does not know is named."""
    with pytest.raises(SettingsError, match="knows no model 9"):
        promote(workspace, "9", ANN)


def test_a_champion_that_comes_while_a_person_rolls_back(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person meant the one that they saw: nothing is rolled back, and they are told who serves now."""
    original = Ledger.decide

    def late(self: Ledger, ruling: object) -> object:
        monkeypatch.setattr(Ledger, "decide", original)
        add_decision(workspace, "promoted")
        return original(self, ruling)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "decide", late)
    with pytest.raises(PedigreeError, match="Version 4 became champion meanwhile"):
        roll_back(workspace, ANN)
    assert shown(workspace)["champion"] == "4"

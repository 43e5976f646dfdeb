"""MLflow follows the ledger: aliases moved by hand are left and named, what a dead run left is finished."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from configs.errors import PedigreeError
from tasks.promotion.aliases import Workspace
from tasks.promotion.overrides import hold
from tasks.promotion.sync_registry import follow_ledger
from tasks.stores.tracking import registry
from tests.servers import free_port
from tests.tasks.decisions import ANN, add_decision, make_workspace, shown


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two champions, one after the other, both shown in MLflow."""
    created = make_workspace(tmp_path)
    for _ in range(2):
        add_decision(created, "promoted")
    return created


def noted(workspace: Workspace) -> str:
    """Read what the registered model itself says of aliases that were moved."""
    return str(
        MlflowClient(workspace.tracking.url).get_registered_model("pedigree").tags.get("pedigree.moved_by_hand", "")
    )


def test_nothing_to_follow_says_nothing(workspace: Workspace) -> None:
    """Where MLflow shows what the ledger says there is neither a note nor a decision to finish."""
    assert str(follow_ledger(workspace.store, workspace.tracking)) == ""
    assert noted(workspace) == ""


def test_an_empty_store_has_nothing_to_follow(tmp_path: Path) -> None:
    """Before the first decision MLflow need not know the model."""
    workspace = make_workspace(tmp_path)
    assert follow_ledger(workspace.store, workspace.tracking).messages() == ()


def test_an_alias_that_was_moved_by_hand_stays_and_is_named(workspace: Workspace) -> None:
    """Run after run it is said and tagged, until it stands where the ledger says; nothing moves it silently."""
    registry.set_alias(workspace.tracking.url, "pedigree", "champion", "1")
    for _ in range(2):
        (words,) = follow_ledger(workspace.store, workspace.tracking).messages()
        assert "champion was moved by hand in MLflow to version 1" in words
        assert "the ledger says version 2" in words
        assert shown(workspace)["champion"] == "1"
        assert noted(workspace) == words
    registry.set_alias(workspace.tracking.url, "pedigree", "champion", "2")
    assert follow_ledger(workspace.store, workspace.tracking).messages() == ()
    assert noted(workspace) == ""


def test_a_new_decision_does_not_undo_what_was_moved_by_hand(workspace: Workspace) -> None:
    """Also while MLflow follows another decision, and that one counts as followed."""
    registry.set_alias(workspace.tracking.url, "pedigree", "champion", "1")
    hold(workspace, "2", ANN)
    assert shown(workspace)["champion"] == "1"
    ledger = workspace.store.ledger
    assert ledger.pending(ledger.entries()) == []


def test_an_alias_that_was_removed_is_put_back_and_named(workspace: Workspace) -> None:
    """A model without its alias serves nobody: it comes back, and the run says so."""
    registry.set_alias(workspace.tracking.url, "pedigree", "champion", None)
    (words,) = follow_ledger(workspace.store, workspace.tracking).messages()
    assert "champion had been removed by hand in MLflow and names version 2 again" in words
    assert shown(workspace)["champion"] == "2"


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_aliases_that_a_dead_run_moved_in_part_are_no_person_s(workspace: Workspace, moved: int) -> None:
    """However far the run came that decided twice, the next one finishes both decisions without a word of hands."""
    entries = workspace.store.ledger.entries()
    for number in (1, 2):
        Path(workspace.store.url, "ledger", f"{number:06}.applied").unlink()
    steps: list[dict[str, str | None]] = [
        {"champion": "1", "previous": None},
        {"champion": "2", "previous": None},
        {"champion": "2"},
    ]
    for alias in ("champion", "previous"):
        registry.set_alias(workspace.tracking.url, "pedigree", alias, steps[moved].get(alias))
    ledger = workspace.store.ledger
    assert ledger.pending(entries) == entries
    assert follow_ledger(workspace.store, workspace.tracking).notes == ()
    assert shown(workspace) == {"champion": "2", "previous": "1"}
    assert ledger.pending(entries) == []
    client = MlflowClient(workspace.tracking.url)
    assert {client.get_run(entry.run_id).data.tags["pedigree.outcome"] for entry in entries} == {"promoted"}
    assert {client.get_model_version("pedigree", str(entry)).tags["pedigree.decision"] for entry in (1, 2)} == {
        "1",
        "2",
    }


def test_without_mlflow_the_decision_waits_for_the_next_run(workspace: Workspace) -> None:
    """The sentence names the decision and the address, and the decision is pending still."""
    decision = add_decision(workspace, "promoted", applied=False)
    silent = workspace.tracking.model_copy(update={"url": f"http://127.0.0.1:{free_port()}"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(
            PedigreeError, match=r"holds decision 3, version 3 promoted, and the next run.*does not answer"
        ):
            follow_ledger(workspace.store, silent)
    ledger = workspace.store.ledger
    assert ledger.pending(ledger.entries()) == [decision]

"""MLflow is new, older than the ledger, or has lost versions: a number is never taken for a model."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

from configs.errors import PedigreeError, SettingsError
from tasks.catalog import models as looking
from tasks.domain.registry.decisions import Decision, RegisteredVersion
from tasks.domain.runs.mlflow_texts import DESCRIPTION
from tasks.promotion.aliases import Workspace
from tasks.promotion.overrides import hold, promote, roll_back
from tasks.promotion.sync_registry import follow_ledger
from tasks.stores.tracking import registry
from tasks.stores.tracking.experiments import check_experiment
from tests.tasks.decisions import ANN, add_decision, copied, database, emptied, make_workspace, shown


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two champions, one after the other, both shown in MLflow."""
    created = make_workspace(tmp_path)
    for _ in range(2):
        add_decision(created, "promoted")
    return created


def served(workspace: Workspace) -> RegisteredVersion | None:
    """Read which version carries the alias champion."""
    number = shown(workspace).get("champion")
    return registry.version_numbered(workspace.tracking.url, "pedigree", number) if number else None


def serves(workspace: Workspace, decision: Decision) -> bool:
    """Tell whether MLflow's champion is the model of this decision."""
    version = served(workspace)
    return bool(version and version.matches(decision))


def test_a_new_mlflow_gets_what_serves_from_the_store(workspace: Workspace) -> None:
    """The champion is registered again under whatever number comes, with its description, and that is said once."""
    emptied(workspace)
    champion = workspace.store.ledger.champion()
    assert champion
    (words,) = follow_ledger(workspace.store, workspace.tracking).messages()
    assert "MLflow does not hold version 2, which serves: it is registered again from the store, as version 1" in words
    assert serves(workspace, champion)
    client = MlflowClient(workspace.tracking.url)
    version = client.get_model_version("pedigree", "1")
    assert str(version.description).startswith("Promoted on 2026-11-01: why.")
    # The run of the training is gone, and its pages with it: no link leads there.
    assert "[the run]" in str(version.description)
    assert "[the evaluation report]" not in str(version.description)
    assert "is not in this MLflow" in client.get_run(str(version.run_id)).data.tags[DESCRIPTION]
    assert follow_ledger(workspace.store, workspace.tracking).messages() == ()
    last = workspace.store.ledger.entries()[-1]
    assert (last.outcome, last.model_version, last.champion) == ("renumbered", "1", 2)


def test_a_number_that_means_two_models_is_asked_about(workspace: Workspace) -> None:
    """After a new MLflow version 1 is one model in the ledger and another in MLflow: heads tell them apart."""
    emptied(workspace)
    follow_ledger(workspace.store, workspace.tracking)
    first, second = workspace.store.ledger.entries()[:2]
    sentence = f"{first.head[:12]} .promoted on .* or {second.head[:12]}"
    for read in (looking.show, looking.why):
        with pytest.raises(SettingsError, match=sentence):
            read(workspace.store, "1")
    for act in (hold, promote):
        with pytest.raises(SettingsError, match=sentence):
            act(workspace, "1", ANN)
    assert looking.why(workspace.store, first.head[:12]).model.head == first.head
    listed = looking.models(workspace.store).models
    assert [(model.version, model.outcome, model.roles, model.head) for model in listed] == [
        ("1", "promoted", ("previous",), first.head),
        ("1", "promoted", ("champion",), second.head),
    ]
    assert promote(workspace, first.head[:12], ANN, instead_of=second.head[:12]).champion == "2"
    assert serves(workspace, first)


def test_a_refused_model_that_takes_the_champions_number_does_not_serve(workspace: Workspace) -> None:
    """A new MLflow's first version is a refused model: the champion is registered beside it, and served."""
    emptied(workspace)
    refused = add_decision(workspace, "rejected", applied=False)
    assert refused.model_version == "1"
    assert not any(
        "by hand" in words for words in follow_ledger(workspace.store, workspace.tracking).messages(refused.number)
    )
    assert serves(workspace, workspace.store.ledger.entries()[1])
    assert shown(workspace)["challenger"] == "1"


def test_an_alias_that_went_with_a_lost_version_was_not_removed_by_hand(workspace: Workspace) -> None:
    """A promotion in a new MLflow points the alias of the previous champion, and accuses nobody."""
    emptied(workspace)
    follow_ledger(workspace.store, workspace.tracking)
    third = add_decision(workspace, "promoted", applied=False)
    assert not any(
        "by hand" in words for words in follow_ledger(workspace.store, workspace.tracking).messages(third.number)
    )
    assert serves(workspace, third)
    assert shown(workspace)["previous"] == "1"


@pytest.mark.parametrize("tagged", [True, False], ids=["tagged", "from before it was tagged"])
def test_an_mlflow_put_back_from_an_older_copy_is_told_as_such(workspace: Workspace, tagged: bool) -> None:
    """Nobody moved anything by hand: the alias goes to the ledger's champion, and to no refused model of its number."""
    if not tagged:
        registry.tag_model(workspace.tracking.url, "pedigree", "pedigree.followed", "")
    copy = copied(database(workspace), database(workspace).with_suffix(".copy"))
    third = add_decision(workspace, "promoted")
    copied(copy, database(workspace))
    refused = add_decision(workspace, "rejected", applied=False)
    assert refused.model_version == third.model_version == "3"
    words = "; ".join(follow_ledger(workspace.store, workspace.tracking).messages(refused.number))
    assert "MLflow is older than the ledger" in words
    assert "by hand" not in words
    assert serves(workspace, third)
    with pytest.raises(SettingsError, match=rf"{refused.head[:12]} .rejected"):
        promote(workspace, "3", ANN)
    assert serves(workspace, third)
    assert follow_ledger(workspace.store, workspace.tracking).messages() == ()


def test_a_ledger_put_back_from_an_older_copy_says_who_serves(workspace: Workspace) -> None:
    """What MLflow had followed and the ledger lost is said; the alias names the ledger's champion."""
    add_decision(workspace, "promoted")
    for path in Path(workspace.store.url).rglob(
        "ledger/000003.*"
    ):  # The entry and its checksum, which a copy lacks as well.
        path.unlink()
    words = follow_ledger(workspace.store, workspace.tracking).messages()
    assert "the ledger is older than MLflow, which had followed decision 3" in words[0]
    assert serves(workspace, workspace.store.ledger.entries()[1])


@pytest.mark.parametrize("gone", ["version", "model"])
def test_what_was_deleted_in_mlflow_serves_again(workspace: Workspace, gone: str) -> None:
    """A deleted version, or the whole registered model, costs nobody the model that serves."""
    client = MlflowClient(workspace.tracking.url)
    if gone == "version":
        client.delete_model_version("pedigree", "2")
    else:
        client.delete_registered_model("pedigree")
    words = "; ".join(follow_ledger(workspace.store, workspace.tracking).messages())
    assert "it is registered again from the store" in words
    assert "by hand" not in words
    assert serves(workspace, workspace.store.ledger.entries()[1])


def test_an_alias_moved_by_hand_to_a_refused_model_is_put_back(workspace: Workspace) -> None:
    """No model carries champion that the ledger never promoted, whoever pointed the alias at it."""
    refused = add_decision(workspace, "rejected")
    registry.set_alias(workspace.tracking.url, "pedigree", "champion", refused.model_version)
    (words,) = follow_ledger(workspace.store, workspace.tracking).messages()
    assert "moved by hand in MLflow to version 3, which the ledger never promoted, and names version 2 again" in words
    assert shown(workspace)["champion"] == "2"


def test_the_advice_about_a_moved_alias_works(workspace: Workspace) -> None:
    """Either command that the note names is obeyed as it stands."""
    registry.set_alias(workspace.tracking.url, "pedigree", "champion", "1")
    (words,) = follow_ledger(workspace.store, workspace.tracking).messages()
    assert "(pedigree model promote 1 --instead-of 2 or pedigree model promote 2 settles it)" in words
    assert promote(workspace, "1", ANN, instead_of="2").champion == "1"
    assert follow_ledger(workspace.store, workspace.tracking).messages() == ()


def test_a_rollback_to_a_version_that_mlflow_lost(workspace: Workspace) -> None:
    """The former champion comes from the store."""
    MlflowClient(workspace.tracking.url).delete_model_version("pedigree", "1")
    assert "registered again" in str(roll_back(workspace, ANN))
    assert serves(workspace, workspace.store.ledger.entries()[0])


def test_two_stores_cannot_share_a_model(workspace: Workspace, tmp_path: Path) -> None:
    """Before anything is trained or decided the second store is refused, with a name that is free."""
    (tmp_path / "other").mkdir()
    other = make_workspace(tmp_path / "other", url=workspace.tracking.url)
    with pytest.raises(SettingsError, match=r"belongs to another store .* set tracking.model to pedigree-2"):
        follow_ledger(other.store, other.tracking)
    registry.tag_model(workspace.tracking.url, "pedigree", registry.STORE, "")
    with pytest.raises(SettingsError, match="belongs to another store"):
        follow_ledger(other.store, other.tracking)
    assert follow_ledger(workspace.store, workspace.tracking).messages() == ()
    assert registry.read_aliases_and_tags(workspace.tracking.url, "pedigree")[1][registry.STORE]


def test_a_model_that_somebody_else_registered_is_not_taken(tmp_path: Path) -> None:
    """A version that Pedigree knows nothing of makes the name another's."""
    workspace = make_workspace(tmp_path)
    client = MlflowClient(workspace.tracking.url)
    client.create_registered_model("pedigree")
    client.create_model_version("pedigree", str(tmp_path))
    client.set_registered_model_alias("pedigree", "champion", "1")
    with pytest.raises(SettingsError, match="belongs to another store"):
        follow_ledger(workspace.store, workspace.tracking)
    assert shown(workspace) == {"champion": "1"}


@pytest.mark.parametrize("deleted", ["run", "experiment"])
def test_a_decision_that_mlflow_refuses_holds_up_no_other(workspace: Workspace, deleted: str) -> None:
    """A deleted run is told once with the way back, later decisions go on, and once restored it is finished."""
    client, (first, second) = MlflowClient(workspace.tracking.url), workspace.store.ledger.entries()
    experiment = client.get_run(second.run_id).info.experiment_id
    if deleted == "run":
        client.delete_run(second.run_id)
    else:
        client.delete_experiment(experiment)
    done = roll_back(workspace, ANN)
    assert f"mlflow {deleted}s restore --{deleted}-id {second.run_id if deleted == 'run' else experiment}" in str(done)
    assert serves(workspace, first)
    assert follow_ledger(workspace.store, workspace.tracking).messages() == ()
    assert client.get_model_version("pedigree", "2").tags["pedigree.outcome"] == "rolled-back"
    client.restore_run(second.run_id) if deleted == "run" else client.restore_experiment(experiment)
    (words,) = follow_ledger(workspace.store, workspace.tracking).messages()
    assert "decision 3, version 2 rolled-back by ann is finished now" in words
    assert client.get_run(second.run_id).data.tags["pedigree.outcome"] == "rolled-back"


def test_a_deleted_experiment_is_found_before_training(workspace: Workspace) -> None:
    """The sentence names the command that brings it back."""
    client = MlflowClient(workspace.tracking.url)
    experiment = client.get_run(workspace.store.ledger.entries()[0].run_id).info.experiment_id
    client.delete_experiment(experiment)
    with pytest.raises(PedigreeError, match=f"mlflow experiments restore --experiment-id {experiment} brings it"):
        check_experiment(workspace.tracking.url, "deciding")


@pytest.mark.parametrize("acts", [roll_back, None], ids=["a person decides", "a run ends"])
def test_a_user_who_may_only_read(workspace: Workspace, acts: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run says that the aliases cannot follow, and goes on; a person hears that another model may serve."""
    decided = add_decision(workspace, "promoted", applied=bool(acts))

    def refuse(*_arguments: object, **_named: object) -> None:
        raise MlflowException("Permission denied", error_code=PERMISSION_DENIED)

    for method in ("set_registered_model_alias", "set_registered_model_tag", "set_model_version_tag", "log_batch"):
        monkeypatch.setattr(MlflowClient, method, refuse)
    # Only a server knows users; what is written to a database as a file goes by no client.
    for module in ("registry", "runs"):
        monkeypatch.setattr(f"tasks.stores.tracking.{module}.has_known_layout", lambda _url: False)
    if acts:
        with pytest.raises(PedigreeError, match="another model may serve: MLflow does not let the aliases follow"):
            roll_back(workspace, ANN)
        return
    words = "; ".join(follow_ledger(workspace.store, workspace.tracking).messages())
    assert f"MLflow refuses {decided}" in words
    assert f"MLflow refuses {decided}" not in "; ".join(follow_ledger(workspace.store, workspace.tracking).messages())
    monkeypatch.undo()
    assert f"{decided} is finished now" in "; ".join(follow_ledger(workspace.store, workspace.tracking).messages())
    assert serves(workspace, decided)

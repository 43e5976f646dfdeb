"""What a run and a version say of a decision: name, description and tags agree, whoever decided and whatever died."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tasks.domain.runs.mlflow_names import RUN_TAGS, VERSION_TAGS
from tasks.domain.runs.mlflow_texts import DESCRIPTION
from tasks.promotion.aliases import Workspace
from tasks.promotion.overrides import Override, hold, promote, release, roll_back
from tasks.promotion.sync_registry import follow_ledger
from tasks.stores.tracking import runs
from tests.reference.tracking import is_tracked
from tests.servers import MlflowServer
from tests.tasks.decisions import ANN, add_decision, make_workspace


@pytest.fixture(params=["database", "server"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """Return a champion and a version that waits for a person, in an embedded database and in a server."""
    if request.param == "database":
        created = make_workspace(tmp_path)
    else:
        server: MlflowServer = request.getfixturevalue("mlflow_server")
        created = make_workspace(tmp_path, server.url, tmp_path.name)
    for outcome in ("promoted", "needs-approval"):
        decision = add_decision(created, outcome, applied=False)
        runs.tag(created.tracking.url, decision.run_id, {DESCRIPTION: "See the report."})
        follow_ledger(created.store, created.tracking)
    return created


def words(workspace: Workspace) -> tuple[str, str, str, str, str]:
    """Read the second run's name, and outcome and description of it and of its version."""
    client = MlflowClient(workspace.tracking.url)
    run = client.get_run(workspace.store.ledger.entries()[1].run_id)
    version = client.get_model_version(workspace.tracking.model, "2")
    assert all(is_tracked(name, VERSION_TAGS) for name in version.tags)
    assert all(is_tracked(name, RUN_TAGS) for name in run.data.tags if name != runs.NAME)
    assert run.data.tags[DESCRIPTION].endswith("---\n\nSee the report.")
    description, report = str(version.description), run.data.tags[DESCRIPTION]
    outcomes = run.data.tags["pedigree.outcome"], version.tags["pedigree.outcome"]
    return str(run.info.run_name), *outcomes, report.partition(" on ")[0], description.partition(" on ")[0]


def test_run_and_version_say_what_was_decided_last(workspace: Workspace) -> None:
    """The gate's words are replaced by each word of a person, and the day of the run stays in its name."""
    waits = "needs-approval"
    assert words(workspace) == (f"2026-11-01 {waits}", waits, waits, waits.capitalize(), "Needs-approval")
    acts: list[tuple[Callable[[], Override], str, str]] = [
        (lambda: promote(workspace, "2", ANN), "promoted", "promoted by ann"),
        (lambda: roll_back(workspace, ANN), "rolled-back", "rolled back by ann"),
        (lambda: release(workspace, "2", ANN), "lifted", "released by ann"),
        (lambda: hold(workspace, "2", ANN), "held", "held by ann"),
    ]
    for act, outcome, sentence in acts:
        act()
        title = sentence.capitalize()
        assert words(workspace) == (f"2026-11-01 {sentence}", outcome, outcome, title, title)
    history = str(MlflowClient(workspace.tracking.url).get_model_version(workspace.tracking.model, "2").description)
    assert history.count("by ann: the dogs look right") == 3
    client = MlflowClient(workspace.tracking.url)
    assert client.get_run(workspace.store.ledger.entries()[1].run_id).info.status == "FINISHED"


def test_a_decision_that_mlflow_did_not_hear_of_is_told_by_the_next_run(workspace: Workspace) -> None:
    """Whoever died after the ledger was written leaves nothing behind; followed once more, nothing changes."""
    entries = workspace.store.ledger.entries()
    words_of_ann = replace(entries[1], person="ann", why="the dogs look right")
    promoted = replace(words_of_ann, number=3, outcome="promoted", champion=3, against=1)
    assert workspace.store.ledger.append(promoted)
    for _ in range(2):
        follow_ledger(workspace.store, workspace.tracking)
        assert words(workspace)[:3] == ("2026-11-01 promoted by ann", "promoted", "promoted")


def test_a_description_of_a_person_stays_in_the_registry(workspace: Workspace) -> None:
    """Tags and aliases follow all the same."""
    client, model = MlflowClient(workspace.tracking.url), workspace.tracking.model
    client.update_model_version(model, "2", "our best dogs")
    promote(workspace, "2", ANN)
    version = client.get_model_version(model, "2")
    assert (version.description, version.tags["pedigree.outcome"]) == ("our best dogs", "promoted")

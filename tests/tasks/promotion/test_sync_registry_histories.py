"""Random histories of runs, people and an MLflow that is restored, emptied and edited by hand."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.models import Model

from configs.errors import PedigreeError
from configs.schema import Tracking
from tasks.domain.registry.decisions import RegisteredVersion
from tasks.promotion.aliases import Workspace
from tasks.promotion.overrides import hold, promote, release, roll_back
from tasks.promotion.sync_registry import follow_ledger
from tasks.stores.store import Store
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.client import check_tracking
from tests.tasks import decisions
from tests.tasks.decisions import ANN, add_decision, copied, database, emptied, shown

Event = Callable[[Workspace], object]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Make an MLflow whose versions are empty folders, registered the real way."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(decisions, "write_mlflow_model", _write_empty_model)
        check_tracking(f"sqlite:///{name}/mlflow.db")
        yield Path(name)


def _write_empty_model(_packaged: Path, folder: Path, identity: Model) -> None:
    folder.mkdir()
    identity.save(str(folder / "MLmodel"))


def _client(workspace: Workspace) -> MlflowClient:
    return MlflowClient(workspace.tracking.url)


def _versions(workspace: Workspace) -> list[RegisteredVersion]:
    return registry.find_versions(workspace.tracking.url, "pedigree", {})


def _nth(workspace: Workspace, number: int, act: Callable[[RegisteredVersion], object]) -> None:
    versions = _versions(workspace)
    if versions:
        act(versions[number % len(versions)])


def _save(workspace: Workspace) -> None:
    copied(database(workspace), database(workspace).with_suffix(".copy"))


def _restore(workspace: Workspace) -> None:
    if (copy := database(workspace).with_suffix(".copy")).exists():
        copied(copy, database(workspace))


def _add_foreign_version(workspace: Workspace) -> None:
    """Register what another store made, under the same name."""
    run = runs.start_run(workspace.tracking.url, "elsewhere", {}, {})
    tags = {"pedigree.head": "0" * 64, "pedigree.dataset": "0" * 64, registry.STORE: "another"}
    registry.register(
        workspace.tracking.url, "pedigree", run, tags, partial(_write_empty_model, Path(workspace.store.url))
    )


def _person(workspace: Workspace, act: str, word: str) -> None:
    """Let a person decide by a number; what is refused in a sentence is a fair answer."""
    acts = {"promote": promote, "hold": hold, "lift": release}
    with suppress(PedigreeError):
        if act == "roll back":
            roll_back(workspace, ANN)
        elif act == "instead":
            promote(
                workspace,
                word,
                ANN,
                instead_of=(workspace.store.ledger.champion() or add_decision(workspace, "promoted")).head,
            )
        else:
            acts[act](workspace, word, ANN)


def _delete_run(workspace: Workspace, number: int) -> None:
    with suppress(Exception):
        _nth(workspace, number, lambda version: _client(workspace).delete_run(version.run_id))


def _promoted(workspace: Workspace) -> object:
    return add_decision(workspace, "promoted")


def _refused(workspace: Workspace) -> object:
    return add_decision(workspace, "rejected", applied=False)


RUNS: st.SearchStrategy[Event] = st.builds(
    lambda outcome, applied: lambda workspace: add_decision(workspace, outcome, applied=applied),
    st.sampled_from(["promoted", "promoted", "rejected", "needs-approval"]),
    st.booleans(),
)
PEOPLE: st.SearchStrategy[Event] = st.builds(
    lambda act, word: lambda workspace: _person(workspace, act, str(word)),
    st.sampled_from(["promote", "instead", "hold", "lift", "roll back"]),
    st.integers(1, 4),
)
EDITS: st.SearchStrategy[Event] = st.builds(
    lambda edit, number: lambda workspace: edit(workspace, number),
    st.sampled_from(
        [
            lambda workspace, _: _save(workspace),
            lambda workspace, _: _restore(workspace),
            lambda workspace, _: emptied(workspace),
            lambda workspace, number: _nth(
                workspace, number, lambda version: _client(workspace).delete_model_version("pedigree", version.number)
            ),
            _delete_run,
            lambda workspace, number: _nth(
                workspace,
                number,
                lambda version: registry.set_alias(workspace.tracking.url, "pedigree", "champion", version.number),
            ),
            lambda workspace, _: registry.set_alias(workspace.tracking.url, "pedigree", "champion", None),
            lambda workspace, _: _versions(workspace) and _client(workspace).delete_registered_model("pedigree"),
            lambda workspace, number: _nth(workspace, number, lambda _: _add_foreign_version(workspace)),
        ]
    ),
    st.integers(0, 5),
)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.one_of(RUNS, RUNS, PEOPLE, EDITS, EDITS), st.booleans()), min_size=3, max_size=10))
@example([(_promoted, True), (emptied, False), (_refused, True)])
@example([(_promoted, True), (_save, False), (_promoted, True), (_restore, False), (_refused, True)])
def test_the_alias_never_names_a_model_that_the_ledger_did_not_promote(
    folder: Path, history: list[tuple[Event, bool]]
) -> None:
    """Whenever MLflow has followed the ledger, champion is a model that was promoted, and there where one serves."""
    with TemporaryDirectory() as store:
        workspace = Workspace(Store(store), Tracking(url=f"sqlite:///{folder}/mlflow.db"))
        Store(store).check_format()
        emptied(workspace)
        database(workspace).with_suffix(".copy").unlink(missing_ok=True)
        for event, looks in history:
            event(workspace)
            if looks:
                follow_ledger(Store(store), workspace.tracking)
                _hold_the_law(workspace)


def _hold_the_law(workspace: Workspace) -> None:
    entries, number = workspace.store.ledger.entries(), shown(workspace).get("champion")
    version = registry.version_numbered(workspace.tracking.url, "pedigree", number) if number else None
    assert bool(version) == bool(workspace.store.ledger.champion())
    if version:
        promoted = {(entry.head, entry.dataset) for entry in entries if entry.outcome == "promoted"}
        assert (version.tags["pedigree.head"], version.tags["pedigree.dataset"]) in promoted
        assert version.tags.get("pedigree.outcome") != "rejected"

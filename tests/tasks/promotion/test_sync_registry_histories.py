"""Random histories of nights, people and an MLflow that is restored, emptied and edited by hand."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from mlflow import MlflowClient
from mlflow.models import Model

from configs.errors import PedigreeError
from configs.schema import Tracking
from tasks.promotion.aliases import Workspace
from tasks.promotion.overrides import hold, promote, release, roll_back
from tasks.promotion.sync_registry import follow_ledger
from tasks.serving.model_package import write_mlflow_model
from tasks.stores.store import Store
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.client import check_tracking
from tests.tasks.deciding import ANN, copied, database, emptied, judged, shown

Event = Callable[[Workspace], object]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Make an MLflow whose versions are empty folders, registered the real way."""

    def write(folder: Path, _packaged: Path, identity: Model) -> None:
        folder.mkdir()
        identity.save(str(folder / "MLmodel"))

    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "write_mlflow_model", write)
        check_tracking(f"sqlite:///{name}/mlflow.db")
        yield Path(name)


def _client(place: Workspace) -> MlflowClient:
    return MlflowClient(place.tracking.url)


def _versions(place: Workspace) -> list[registry.RegisteredVersion]:
    return registry.find_versions(place.tracking.url, "pedigree", {})


def _nth(place: Workspace, number: int, act: Callable[[registry.RegisteredVersion], object]) -> None:
    versions = _versions(place)
    if versions:
        act(versions[number % len(versions)])


def _save(place: Workspace) -> None:
    copied(database(place), database(place).with_suffix(".copy"))


def _restore(place: Workspace) -> None:
    if (copy := database(place).with_suffix(".copy")).exists():
        copied(copy, database(place))


def _stranger(place: Workspace) -> None:
    """Register what another store made, under the same name."""
    run = runs.start_run(place.tracking.url, "elsewhere", {}, {})
    tags = {"pedigree.head": "0" * 64, "pedigree.dataset": "0" * 64, registry.STORE: "another"}
    registry.register(place.tracking.url, "pedigree", run, tags, partial(write_mlflow_model, Path(place.store)))


def _person(place: Workspace, act: str, word: str) -> None:
    """Let a person decide by a number; what is refused in a sentence is a fair answer."""
    acts = {"promote": promote, "hold": hold, "lift": release}
    with suppress(PedigreeError):
        if act == "roll back":
            roll_back(place, ANN)
        elif act == "instead":
            promote(
                place, word, ANN, instead_of=(Store(place.store).ledger.champion() or judged(place, "promoted")).head
            )
        else:
            acts[act](place, word, ANN)


def _delete_run(place: Workspace, number: int) -> None:
    with suppress(Exception):
        _nth(place, number, lambda one: _client(place).delete_run(one.run_id))


def _promoted(place: Workspace) -> object:
    return judged(place, "promoted")


def _refused(place: Workspace) -> object:
    return judged(place, "rejected", applied=False)


NIGHTS: some.SearchStrategy[Event] = some.builds(
    lambda outcome, applied: lambda place: judged(place, outcome, applied=applied),
    some.sampled_from(["promoted", "promoted", "rejected", "needs-approval"]),
    some.booleans(),
)
PEOPLE: some.SearchStrategy[Event] = some.builds(
    lambda act, word: lambda place: _person(place, act, str(word)),
    some.sampled_from(["promote", "instead", "hold", "lift", "roll back"]),
    some.integers(1, 4),
)
EDITS: some.SearchStrategy[Event] = some.builds(
    lambda edit, number: lambda place: edit(place, number),
    some.sampled_from(
        [
            lambda place, _: _save(place),
            lambda place, _: _restore(place),
            lambda place, _: emptied(place),
            lambda place, number: _nth(
                place, number, lambda one: _client(place).delete_model_version("pedigree", one.number)
            ),
            _delete_run,
            lambda place, number: _nth(
                place, number, lambda one: registry.set_alias(place.tracking.url, "pedigree", "champion", one.number)
            ),
            lambda place, _: registry.set_alias(place.tracking.url, "pedigree", "champion", None),
            lambda place, _: _versions(place) and _client(place).delete_registered_model("pedigree"),
            lambda place, number: _nth(place, number, lambda _: _stranger(place)),
        ]
    ),
    some.integers(0, 5),
)


@settings(max_examples=20)
@given(
    some.lists(some.tuples(some.one_of(NIGHTS, NIGHTS, PEOPLE, EDITS, EDITS), some.booleans()), min_size=3, max_size=10)
)
@example([(_promoted, True), (emptied, False), (_refused, True)])
@example([(_promoted, True), (_save, False), (_promoted, True), (_restore, False), (_refused, True)])
def test_the_alias_never_names_a_model_that_the_ledger_did_not_promote(
    folder: Path, history: list[tuple[Event, bool]]
) -> None:
    """Whenever MLflow has followed the ledger, champion is a model that was promoted, and there where one serves."""
    with TemporaryDirectory() as store:
        place = Workspace(store, Tracking(url=f"sqlite:///{folder}/mlflow.db"))
        Store(store).check_format()
        emptied(place)
        database(place).with_suffix(".copy").unlink(missing_ok=True)
        for event, looks in history:
            event(place)
            if looks:
                follow_ledger(store, place.tracking)
                _hold_the_law(place)


def _hold_the_law(place: Workspace) -> None:
    entries, number = Store(place.store).ledger.entries(), shown(place).get("champion")
    version = registry.version_numbered(place.tracking.url, "pedigree", number) if number else None
    assert bool(version) == bool(Store(place.store).ledger.champion())
    if version:
        promoted = {(one.head, one.dataset) for one in entries if one.outcome == "promoted"}
        assert (version.tags["pedigree.head"], version.tags["pedigree.dataset"]) in promoted
        assert version.tags.get("pedigree.outcome") != "rejected"

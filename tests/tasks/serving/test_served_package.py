"""What MLflow serves as champion is what was registered, or an alarm names the files."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mlflow import MlflowClient

from configs.schema import Tracking
from tasks.domain.registry.decisions import Decision
from tasks.promotion.sync_registry import RegistrySync, check_served_files
from tasks.serving.model_package import write_mlflow_model
from tasks.serving.served_package import ServedPackage, check_champion, compare_package
from tasks.stores.store import Store
from tasks.stores.tracking import packages, registry, runs
from tasks.stores.tracking.client import check_tracking
from tasks.stores.tracking.packages import files_in
from tests.servers import mlflow_database

HEAD, DATASET, BACKBONE = "a" * 64, "b" * 64, "f" * 64
CHAMPION = Decision(
    number=1,
    time="2026-11-01T02:00:00+00:00",
    outcome="promoted",
    champion=1,
    against=None,
    dataset=DATASET,
    recipe="recipe",
    backbone=BACKBONE,
    head=HEAD,
    run_id="run",
    model_version="1",
    reason="it is better",
    rules=(),
)
Served = tuple[Store, Tracking, Path]


def _register(store: Store, tracking: Tracking, folder: Path, *, with_hashes: bool) -> Path:
    """Register a package, with or without its checksums kept, and return the folder that MLflow serves."""
    folder.mkdir()
    for name in ("model.json", "backbone.npz", "head.npz"):
        (folder / name).write_bytes(name.encode())
    store.heads.write(HEAD, b"head.npz")
    store.backbones.write(BACKBONE, b"backbone.npz", {})
    run_id = runs.start_run(tracking.url, "tests", {}, {})
    tags = {"pedigree.head": HEAD, "pedigree.dataset": DATASET}

    def keep(served: Path) -> None:
        store.packages.write(HEAD, DATASET, files_in(served))

    version = registry.register(
        tracking.url,
        tracking.model,
        run_id,
        tags,
        partial(write_mlflow_model, folder),
        keep if with_hashes else files_in,
    )
    source = MlflowClient(tracking.url, tracking.url).get_model_version(tracking.model, version).source
    return Path(urlsplit(str(source)).path)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    """Register a package in an embedded MLflow, and return the folder that it serves."""
    tracking = Tracking(url=mlflow_database(tmp_path))
    check_tracking(tracking.url)
    store = Store(str(tmp_path / "store"))
    return store, tracking, _register(store, tracking, tmp_path / "packaged", with_hashes=True)


@pytest.mark.parametrize("intact", [True, False])
def test_what_was_registered_is_no_alarm(served: Served, intact: bool) -> None:
    """Files that nobody touched are as they were registered."""
    assert check_champion(*served[:2], CHAMPION, every_file=intact) == ServedPackage()


def test_what_mlflow_notes_where_it_loads_is_no_alarm(served: Served) -> None:
    """MLflow's note of the version that it loaded, beside the files on this machine's disk, is none of them."""
    store, tracking, folder = served
    (folder / "registered_model_meta").write_text("model_name: pedigree")
    assert check_champion(store, tracking, CHAMPION, every_file=True) == ServedPackage()


@pytest.mark.parametrize("name", ["model.py", "artifacts/head.npz", "artifacts/backbone.npz", "code/configs/errors.py"])
@pytest.mark.parametrize(
    "change", [lambda path: path.write_bytes(b"exchanged"), Path.unlink, lambda path: path.rename(f"{path}.new")]
)
def test_other_files_are_an_alarm(served: Served, name: str, change: Callable[[Path], object]) -> None:
    """An exchanged, deleted or renamed file is named, the large one where all are compared, the others each run."""
    change(served[2] / name)
    for look in (check_champion, compare_package):
        alarm = look(*served[:2], CHAMPION, every_file=name == packages.BACKBONE).alarm
        assert alarm.startswith("ALARM: MLflow serves version 1 with other files than were registered")
        assert name in alarm


def test_files_that_served_until_this_run_are_an_alarm(served: Served) -> None:
    """A run that replaces the champion says once that other files served until then: it compared them before."""
    store, tracking, folder = served
    ledger = store.ledger
    assert ledger.append(CHAMPION)
    (folder / "model.py").write_text("another program")
    restored = check_served_files(RegistrySync((), ()), store, tracking)
    assert ledger.append(replace(CHAMPION, number=2, champion=2, against=1, head="c" * 64))
    followed = check_served_files(RegistrySync((), ()), store, tracking).add_earlier(restored)
    assert "model.py" in followed.alarm
    assert followed.messages() == (followed.alarm,)


def test_files_that_cannot_be_read_are_said(served: Served) -> None:
    """Where MLflow has lost a version's whole folder, the run says so and goes on."""
    shutil.rmtree(served[2])
    assert "cannot be compared" in check_champion(*served[:2], CHAMPION, every_file=False).note


def test_a_package_of_an_earlier_pedigree_is_taken_on_trust_once(tmp_path: Path) -> None:
    """It gets its checksums by the next run, which says so, and an exchange after that is an alarm."""
    store, tracking = Store(str(tmp_path / "store")), Tracking(url=mlflow_database(tmp_path))
    check_tracking(tracking.url)
    folder = _register(store, tracking, tmp_path / "packaged", with_hashes=False)
    assert "earlier Pedigree" in str(compare_package(store, tracking, CHAMPION, every_file=True))
    assert check_champion(store, tracking, CHAMPION, every_file=False).note.endswith("are taken on trust")
    assert check_champion(store, tracking, CHAMPION, every_file=False) == ServedPackage()
    (folder / "model.py").write_bytes(b"exchanged")
    assert "model.py" in check_champion(store, tracking, CHAMPION, every_file=False).alarm


def test_a_package_with_other_weights_than_the_store_is_never_trusted(tmp_path: Path) -> None:
    """Weights that are not the store's are an alarm, whoever registered them."""
    store, tracking = Store(str(tmp_path / "store")), Tracking(url=mlflow_database(tmp_path))
    check_tracking(tracking.url)
    folder = _register(store, tracking, tmp_path / "packaged", with_hashes=False)
    (folder / "artifacts" / "head.npz").write_bytes(b"exchanged")
    assert "artifacts/head.npz" in check_champion(store, tracking, CHAMPION, every_file=False).alarm


def test_a_server_is_asked_for_the_files_that_decide(tmp_path: Path, mlflow_server: object) -> None:
    """Where MLflow is a server, each run fetches a few files, and model show all of them."""
    tracking = Tracking(url=str(getattr(mlflow_server, "url", "")), model=f"served {tmp_path.name}")
    check_tracking(tracking.url)
    store = Store(str(tmp_path / "store"))
    _register(store, tracking, tmp_path / "packaged", with_hashes=True)
    look = partial(check_champion, store, tracking, CHAMPION)
    assert look(every_file=False) == look(every_file=True) == ServedPackage()
    for file in Path(getattr(mlflow_server, "folder", "")).rglob("model.py"):
        file.write_bytes(b"exchanged")
    for intact in (False, True):
        assert "model.py" in look(every_file=intact).alarm

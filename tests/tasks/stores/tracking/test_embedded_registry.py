"""The embedded database: what is read and written by SQL is what MLflow's own client reads and writes."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from configs.errors import PedigreeError, ServiceUnavailableError
from tasks.stores.tracking import pages, registry, runs
from tasks.stores.tracking.client import check_tracking
from tasks.stores.tracking.database import has_known_layout
from tasks.stores.tracking.embedded_registry import EmbeddedRegistry

_TABLES = ("registered_model_tags", "registered_model_aliases", "model_version_tags", "tags", "runs")
_DESCRIPTIONS = "SELECT version, description, last_updated_time > creation_time FROM model_versions ORDER BY version"
_RUN = "pedigree.outcome"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with a model of three versions, of which one is deleted, and a run."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    url = f"sqlite:///{path}"
    check_tracking(url)
    client = MlflowClient(tracking_uri=url, registry_uri=url)
    run_id = client.create_run("0", tags={_RUN: "none"}).info.run_id
    client.create_registered_model("dogs", {"owner": "a store"})
    for head in ("one", "two", "three"):
        client.create_model_version("dogs", "file:///nowhere", run_id, {"head": head, "seen": "no"})
    client.delete_model_version("dogs", "2")
    client.set_registered_model_alias("dogs", "champion", "1")
    return path


def run_of(path: Path) -> str:
    """Return the id of the only run."""
    with closing(sqlite3.connect(path)) as database:
        return str(database.execute("SELECT run_uuid FROM runs").fetchone()[0])


def contents(path: Path) -> Mapping[str, list[tuple[object, ...]]]:
    """Return the rows of every table that is written by SQL."""
    with closing(sqlite3.connect(path)) as database:
        rows = {
            name: sorted(database.execute(f"SELECT * FROM {name}").fetchall(), key=repr)  # noqa: S608 - names from here
            for name in _TABLES
        }
        return {**rows, "descriptions": database.execute(_DESCRIPTIONS).fetchall()}


def test_both_ways_write_the_same_rows(original: Path, tmp_path: Path) -> None:
    """Tags and aliases, new, changed and removed, are in the database as MLflow's client leaves them."""
    ours, theirs = tmp_path / "ours.db", tmp_path / "theirs.db"
    for path in (ours, theirs):
        shutil.copyfile(original, path)
    url, run_id = f"sqlite:///{theirs}", run_of(original)
    client = MlflowClient(tracking_uri=url, registry_uri=url)
    client.set_registered_model_tag("dogs", "pedigree.followed", "3")
    client.set_registered_model_tag("dogs", "pedigree.followed", "4")
    client.delete_registered_model_tag("dogs", "owner")
    client.set_model_version_tag("dogs", "3", "seen", "yes")
    client.set_model_version_tag("dogs", "3", "why", "zu gut, „wirklich“")
    client.update_model_version("dogs", "3", "**Held** by Ada\n\n| a | b |")
    client.set_registered_model_alias("dogs", "champion", "3")
    client.set_registered_model_alias("dogs", "previous", "1")
    client.set_registered_model_alias("dogs", "held", "1")
    client.delete_registered_model_alias("dogs", "held")
    client.set_tag(run_id, _RUN, "held")
    client.set_tag(run_id, "pedigree.person", "Ada")
    client.set_tag(run_id, "mlflow.runName", "2026-11-24 held by Ada")

    url = f"sqlite:///{ours}"
    registry.tag_model(url, "dogs", "pedigree.followed", "3")
    registry.tag_model(url, "dogs", "pedigree.followed", "4")
    registry.tag_model(url, "dogs", "owner", "")
    registry.tag_version(url, "dogs", "3", {"seen": "yes", "why": "zu gut, „wirklich“"}, "**Held** by Ada\n\n| a | b |")
    assert registry.set_alias(url, "dogs", "champion", "3")
    assert registry.set_alias(url, "dogs", "previous", "1")
    assert registry.set_alias(url, "dogs", "held", "1")
    assert registry.set_alias(url, "dogs", "held", None)
    runs.tag(url, run_id, {_RUN: "held", "pedigree.person": "Ada", runs.NAME: "2026-11-24 held by Ada"})
    assert contents(ours) == contents(theirs) != contents(original)


def test_both_ways_read_the_same(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases, tags and versions are those that MLflow's client names, without deleted versions."""
    url = f"sqlite:///{original}"

    def answers() -> object:
        return (
            registry.read_aliases_and_tags(url, "dogs"),
            registry.read_aliases_and_tags(url, "cats"),
            registry.find_versions(url, "dogs", {}),
            registry.find_versions(url, "dogs", {"head": "three"}),
            registry.find_versions(url, "cats", {}),
            [registry.version_numbered(url, "dogs", number) for number in "1234"],
            runs.read_tags(url, run_of(original)),
            runs.read_tags(url, "0" * 32),
        )

    ours = answers()
    for module in (registry, runs):
        monkeypatch.setattr(module, "has_known_layout", lambda _url: False)
    assert ours == answers()


def test_both_ways_name_the_same_page(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of a run's file has the number of the run's experiment; a run that is not there has no page."""
    url = f"sqlite:///{original}"
    monkeypatch.setenv("PEDIGREE_HOME", str(original.parent))
    monkeypatch.setenv("PEDIGREE_MLFLOW_PAGES", "http://127.0.0.1:5000/")
    page = pages.file_page(url, run_of(original), "a b.html")
    assert page == f"http://127.0.0.1:5000/#/experiments/0/runs/{run_of(original)}/artifacts/a%20b.html"
    assert pages.file_page(url, "none", "a b.html") == ""
    monkeypatch.setattr(pages, "has_known_layout", lambda _url: False)
    assert pages.file_page(url, run_of(original), "a b.html") == page


@pytest.mark.parametrize(
    "act",
    [
        lambda url: registry.tag_version(url, "dogs", "2", {"seen": "yes"}),
        lambda url: registry.tag_version(url, "dogs", "9", {"seen": "yes"}),
        lambda url: runs.tag(url, "0" * 32, {_RUN: "held"}),
    ],
)
def test_what_is_gone_gets_no_tag(original: Path, act: Callable[[str], None]) -> None:
    """A version or a run that is deleted or never was is refused in a sentence, as by MLflow's client."""
    with pytest.raises(PedigreeError, match=r"^MLflow at .* refused: .*\.$") as caught:
        act(f"sqlite:///{original}")
    assert not isinstance(caught.value, ServiceUnavailableError)


def test_an_alias_names_no_version_that_is_gone(original: Path) -> None:
    """Nothing is written where the version or the model is missing."""
    before, registered = contents(original), EmbeddedRegistry(f"sqlite:///{original}")
    assert not registered.set_alias("dogs", "champion", "2")
    assert not registered.set_alias("cats", "champion", "1")
    assert not registered.set_alias("cats", "champion", None)
    registered.tag_model("cats", "owner", "nobody")
    assert contents(original) == before


def test_the_installed_mlflow_makes_the_layout_that_is_known(original: Path, tmp_path: Path) -> None:
    """An upgrade of MLflow that changes its tables fails here; until it is looked at, MLflow's client does the work."""
    assert has_known_layout(f"sqlite:///{original}")
    path = tmp_path / "mlflow.db"
    shutil.copyfile(original, path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'another'")
        database.commit()
    assert not has_known_layout(f"sqlite:///{path}")
    assert not has_known_layout(f"sqlite:///{tmp_path / 'none.db'}")
    assert not has_known_layout("http://127.0.0.1:5000")


def test_a_person_decides_without_waiting_for_imports() -> None:
    """The commands that promote, roll back, hold and lift import neither MLflow nor Prefect, which take seconds."""
    code = "import sys, tasks.promotion.overrides; sys.exit(bool({'mlflow', 'prefect'} & sys.modules.keys()))"
    assert not subprocess.run([sys.executable, "-c", code], check=False).returncode  # noqa: S603 - this very Python

"""Stores and MLflows that earlier Pedigrees left go on: looking, reproducing, serving, and the next runs.

Each was made by ``make.py`` with the code of its commit: versions 1 and 2 were promoted, version 3 was rejected, and a
person holds it. Between ``three_nights`` and ``before_the_rooms`` heads came to be fitted to their optimum; after the
latter all modules got other names, and nothing else changed.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.serving.probe_process import ServingProbe
from tasks.stores.tracking.registry import read_aliases_and_tags
from tests.old_stores.kept import settings_in, unpack
from tests.old_stores.make import draw_breed
from tests.servers import ROOT, PrefectServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kept source is named through /proc/self/cwd")
VERSIONS = {"1": "promoted", "2": "promoted", "3": "held"}
CLASSES = {"corgi", "dachshund", "poodle"}
NO_PICTURE = "not-an-image: not a picture of a known format (JPEG, PNG, WEBP, TIFF, BMP, GIF, AVIF, HEIF)"
# What decides the bits beside the code: another processor may compute others.
MACHINE = {"tensorflow", "keras", "numpy", "scipy", "threads", "onednn", "cpu", "instructions", "cores", "system"}
# Loads a registered model as anybody does who has today's Pedigree installed, and prints its answers.
ANYBODY = """
import json, sys
from pathlib import Path
import pandas as pd
from mlflow.pyfunc import load_model
images = [Path(name).read_bytes() for name in sys.argv[2:]]
rows = load_model(sys.argv[1]).predict(pd.DataFrame({"image": images})).to_dict("records")
ours = [file for name, module in sys.modules.items() if name.split(".")[0] == "tasks" and (file := module.__file__)]
print(json.dumps({"rows": rows, "files": ours}))
"""
Pedigree = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class OldStore:
    """An archive, the commit that made it, how the next run ends on the same photographs, and the next champion."""

    name: str
    commit: str
    next_run: str
    next_champion: str


EPOCHS = OldStore("three_nights", "7d9354bc3615", "rejected", "5")
ROOMLESS = OldStore("before_the_rooms", "b71d769900f0", "unchanged", "4")


@pytest.fixture(scope="module", params=[EPOCHS, ROOMLESS], ids=lambda store: store.name)
def old_store(request: pytest.FixtureRequest) -> OldStore:
    """Which store is looked at."""
    store: OldStore = request.param
    return store


@pytest.fixture(scope="module")
def old(old_store: OldStore, tmp_path_factory: pytest.TempPathFactory, _prefect: PrefectServer) -> Iterator[Path]:
    """Unpack the kept store into the current folder, and let commands find its MLflow."""
    folder = tmp_path_factory.mktemp("old")
    unpack(old_store.name, folder)
    updates = {PREFECT_API_URL: _prefect.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}
    with pytest.MonkeyPatch.context() as patch, temporary_settings(updates=updates):
        patch.setenv("PREFECT_API_URL", _prefect.api_url)
        patch.setenv("PEDIGREE_HOME", str(folder / "home"))
        patch.chdir(folder)
        yield folder


@pytest.fixture
def pedigree(old: Path) -> Pedigree:
    """Run a command with the kept settings, and return the object that it prints."""

    def run(*words: str, status: int = 0) -> Any:  # noqa: ANN401 - whatever the command prints
        config = ["-c", str(old / "settings.yaml"), "--set", f"store.url={old / 'store'}"]
        done = CliRunner().invoke(app, [*words, *config, "--json"])
        assert done.exit_code == status, done.output
        return json.loads(done.stdout)

    return run


def test_its_versions_are_listed_shown_and_whole(pedigree: Pedigree) -> None:
    """Each dataset version is listed with what was decided about it, can be counted, and is as it was written."""
    versions = pedigree("data", "list")["versions"]
    assert [version["images"] for version in versions] == [62, 86, 98]
    for version in versions:
        assert pedigree("data", "show", version["hash"])["images"] == version["images"]
        assert not pedigree("data", "verify", version["hash"])["damage"]


def test_its_models_are_listed_shown_and_explained(pedigree: Pedigree) -> None:
    """Each model version is listed with its last decision, and shows what it was made of and why it came to serve."""
    listed = {model["version"]: model["outcome"] for model in pedigree("model", "list")["models"]}
    assert listed == VERSIONS
    for version in listed:
        assert pedigree("model", "show", version)["model"]["version"] == version
        assert pedigree("model", "why", version)["decisions"]


def test_its_champion_serves(old: Path) -> None:
    """The registered champion loads with the code that it brought along, answers, and says what is no picture."""
    photos = [next((old / "photos" / "corgi").rglob("corgi-*.jpg")), old / "photos" / "corgi" / "broken.jpg"]
    with ServingProbe(settings_in(old).tracking.url, "tensorflow") as probe:
        answer, problem = probe.ask("pedigree", "2", [photo.read_bytes() for photo in photos])
    assert set(answer["probabilities"]) == CLASSES
    assert (problem["label"], problem["problem"]) == (None, NO_PICTURE)


@pytest.mark.parametrize("old_store", [ROOMLESS], indirect=True, ids=["before_the_rooms"])
def test_its_champion_serves_where_todays_code_is_installed(old: Path) -> None:
    """MLflow finds the model's own modules, under their former names, before those of the same packages today."""
    photo = next((old / "photos" / "corgi").rglob("corgi-*.jpg"))
    url = settings_in(old).tracking.url
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", ANYBODY, "models:/pedigree/2", str(photo)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": url, "MLFLOW_REGISTRY_URI": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    response = json.loads(done.stdout)
    assert set(response["rows"][0]["probabilities"]) == CLASSES
    assert any(name.endswith("code/tasks/modeling/prediction.py") for name in response["files"])
    assert not [name for name in response["files"] if name.startswith(str(ROOT))]


@pytest.mark.parametrize("version", ["1", "2", "3"])
@pytest.mark.parametrize("old_store", [EPOCHS], indirect=True, ids=["three_nights"])
def test_heads_trained_in_epochs_cannot_be_made_again(old: Path, old_store: OldStore, version: str) -> None:
    """A sentence says why, with the commit that made them."""
    config = ["-c", str(old / "settings.yaml"), "--set", f"store.url={old / 'store'}"]
    done = CliRunner().invoke(app, ["reproduce", version, *config])
    assert done.exit_code == 1
    assert re.search(
        rf"Head \w{{12}} was trained in epochs, .*the code of commit {old_store.commit} can\.", done.output
    )


@pytest.mark.parametrize("old_store", [ROOMLESS], indirect=True, ids=["before_the_rooms"])
def test_its_champion_is_made_again_from_pixels(old_store: OldStore, pedigree: Pedigree) -> None:
    """Features and head come out bit for bit, and all that is known to differ is the commit of the code."""
    reproduced = pedigree("reproduce", "champion", "--from-pixels")
    changed = {fact["what"]: fact["then"] for fact in reproduced["differences"]}
    assert changed["git_commit"].startswith(old_store.commit)
    kernels = {fact["what"]: fact["now"] for fact in reproduced["differences"]}["blas"]
    # Its record does not name the kernels of the matrix product: they were these.
    if not changed.keys() & MACHINE and kernels == "openblas SkylakeX":
        assert (reproduced["verdict"], reproduced["refitted"]["head"]) == ("identical", reproduced["head"])
        assert reproduced["refitted"]["unequal"] == 0
    assert reproduced["refitted"]["embedded"] == reproduced["images"] == 86
    assert reproduced["verdict"] in {"identical", "equal"}


def test_the_next_runs_go_on(old: Path, old_store: OldStore, pedigree: Pedigree) -> None:
    """Where heads are fitted otherwise one is fitted anew; new photographs are served; a person goes back."""
    run = pedigree("retrain")
    assert (run["status"], run["images"]["total"], run["images"]["new"]) == (old_store.next_run, 98, 0)
    assert pedigree("retrain")["status"] == "unchanged"
    draw_breed(old / "photos", "beagle", range(3, 7))
    run = pedigree("retrain")
    assert (run["status"], run["images"]["total"], run["images"]["new"]) == ("promoted", 114, 16)
    assert _champion(old) == old_store.next_champion
    assert not pedigree("data", "verify", "latest")["damage"]
    assert pedigree("model", "rollback", "--why", "a test")["champion"] == "2"
    assert _champion(old) == "2"
    assert pedigree("retrain")["status"] == "unchanged"


def _champion(old: Path) -> str:
    return read_aliases_and_tags(settings_in(old).tracking.url, "pedigree")[0]["champion"]

"""A store and an MLflow that an earlier Pedigree left go on: looking, reproducing, serving, and the next nights.

``three_nights.tar.xz`` was made by ``make.py`` with the code of commit 7d9354b: versions 1 and 2 were promoted,
version 3 was refused, and a person holds it.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.serving.probe_process import ServingProbe
from tasks.stores.tracking.registry import read_aliases_and_tags
from tests.old_stores.kept import settings_in, unpack
from tests.old_stores.make import place
from tests.servers import PrefectServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kept source is named through /proc/self/cwd")
VERSIONS = {"1": "promoted", "2": "promoted", "3": "held"}
Pedigree = Callable[..., Any]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory, _prefect: PrefectServer) -> Iterator[Path]:
    """Unpack the kept store into the current folder, and let commands find its MLflow."""
    folder = tmp_path_factory.mktemp("old")
    unpack("three_nights", folder)
    here = {PREFECT_API_URL: _prefect.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}
    with pytest.MonkeyPatch.context() as patch, temporary_settings(updates=here):
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
    assert [one["images"] for one in versions] == [62, 86, 98]
    for one in versions:
        assert pedigree("data", "show", one["hash"])["images"] == one["images"]
        assert not pedigree("data", "verify", one["hash"])["damage"]


def test_its_models_are_listed_shown_and_explained(pedigree: Pedigree) -> None:
    """Each model version is listed with its last decision, and shows what it was made of and why it came to serve."""
    listed = {one["version"]: one["outcome"] for one in pedigree("model", "list")["models"]}
    assert listed == VERSIONS
    for version in listed:
        assert pedigree("model", "show", version)["model"]["version"] == version
        assert pedigree("model", "why", version)["decisions"]


def test_its_champion_serves(old: Path) -> None:
    """The registered champion loads in a process that knows nothing of this checkout, and answers."""
    photo = next((old / "photos" / "corgi").rglob("corgi-*.jpg")).read_bytes()
    with ServingProbe(settings_in(old).tracking.url) as stranger:
        (answer,) = stranger.ask("pedigree", "2", [photo])
    assert set(answer["probabilities"]) == {"corgi", "dachshund", "poodle"}


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_its_models_cannot_be_made_again_and_a_sentence_says_why(old: Path, version: str) -> None:
    """Heads that were trained in epochs are refused by name, with the commit that made them."""
    config = ["-c", str(old / "settings.yaml"), "--set", f"store.url={old / 'store'}"]
    done = CliRunner().invoke(app, ["reproduce", version, *config])
    assert done.exit_code == 1
    assert re.search(r"Head \w{12} was trained in epochs, .*the code of commit 7d9354bc3615 can\.", done.output)


def test_the_next_nights_go_on(old: Path, pedigree: Pedigree) -> None:
    """A head is fitted anew, the next night has nothing to do; new photographs are served; a person goes back."""
    night = pedigree("retrain")
    assert (night["status"], night["images"]["total"], night["images"]["new"]) == ("rejected", 98, 0)
    assert pedigree("retrain")["status"] == "unchanged"
    place(old / "photos", "beagle", range(3, 7))
    night = pedigree("retrain")
    assert (night["status"], night["images"]["total"], night["images"]["new"]) == ("promoted", 114, 16)
    assert read_aliases_and_tags(settings_in(old).tracking.url, "pedigree")[0]["champion"] == "5"
    assert not pedigree("data", "verify", "latest")["damage"]
    assert pedigree("model", "rollback", "--why", "a test")["champion"] == "2"
    assert read_aliases_and_tags(settings_in(old).tracking.url, "pedigree")[0]["champion"] == "2"
    assert pedigree("retrain")["status"] == "unchanged"

"""Whole runs on which labels or splits are wrong: each ends in a named state with a true sentence."""

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from configs.load import parse_settings, resolve
from flows.runner import run_retrain
from tasks.domain.runs.results import Outcome
from tasks.domain.synthetic.drawn_dogs import draw
from tests.servers import PrefectServer

BREEDS = ("corgi", "husky", "poodle")
Run = Callable[[], Outcome]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw three breeds in the splits that a benchmark publishes, of which validation holds three images."""
    folder = tmp_path_factory.mktemp("odd")
    for breed in BREEDS:
        _draw(folder / "photos" / "train" / breed, breed, range(14))
        _draw(folder / "photos" / "val" / breed, breed, range(14, 15))
        _draw(folder / "photos" / "test" / breed, breed, range(15, 25))
    return folder


@pytest.fixture
def run(folder: Path, prefect_server: PrefectServer) -> Run:
    """Start a run on what lies there now, in the one store of this module."""
    assert prefect_server.api_url
    settings = {
        "source": {"url": str(folder / "photos")},
        "store": {"url": str(folder / "store")},
        "labels": {"layout": "split/label", "splits": "keep"},
        "dataset": {"min_images_per_class": 5},
        "backbone": {"weights": "demo", "cut": "mixed2", "size": 96},
        "gate": {"serve_check": False},
        "tracking": {"url": f"sqlite:///{folder}/mlflow.db"},
    }
    return lambda: run_retrain(resolve(parse_settings(settings, "the test")))


@pytest.fixture(scope="module")
def first_runs() -> list[Outcome]:
    """Keep the outcome of the first run for every test of this module."""
    return []


@pytest.fixture
def first(run: Run, first_runs: list[Outcome]) -> Outcome:
    """Make the first run, whichever test comes first."""
    if not first_runs:
        first_runs.append(run())
    return first_runs[0]


def test_three_validation_images(first: Outcome) -> None:
    """A first run with three validation images is promoted for what the test images show."""
    assert (first.status, first.images.total) == ("promoted", 75)
    assert first.reason.startswith("accuracy ")


@pytest.mark.usefixtures("first")
def test_two_classes_swapped(run: Run, folder: Path) -> None:
    """Two classes that changed their folders are not promoted, and both are named with what they lost and gained."""
    _rename(folder, {"corgi": "husky", "husky": "corgi"})
    outcome = run()
    _rename(folder, {"corgi": "husky", "husky": "corgi"})
    assert outcome.status in {"rejected", "needs-approval"}
    for words in (r"corgi lost \d+ of \d+ photographs", r"lost by corgi \d+, husky \d+, gained by (corgi|husky) \d+"):
        assert re.search(words, outcome.reason)


@pytest.mark.usefixtures("first")
def test_every_label_moved(run: Run, folder: Path) -> None:
    """Where each class got another one's name no test image kept its label, and nothing is promoted."""
    _rename(folder, {"corgi": "husky", "husky": "poodle", "poodle": "corgi"})
    outcome = run()
    _rename(folder, {"husky": "corgi", "poodle": "husky", "corgi": "poodle"})
    assert outcome.status in {"rejected", "needs-approval"}
    assert outcome.reason.startswith("no test image kept the label it had")
    assert re.search(r"\d+ photographs carry another label than before, 30 of them in the test split", outcome.reason)


@pytest.mark.usefixtures("first")
def test_only_test_images_of_a_class(run: Run, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Test images of a class that was never trained on wait, as the log says; more of another teach nothing."""
    _draw(folder / "photos" / "test" / "beagle", "beagle", range(15, 25))
    outcome = run()
    assert (outcome.status, outcome.reason) == ("unchanged", "nothing new to learn from")
    assert "beagle (none of its images is in the training split) waits" in capfd.readouterr().err
    _draw(folder / "photos" / "test" / "corgi", "corgi", range(25, 30))
    more = run()
    assert (more.status, more.images.total) == ("rejected", 80)
    assert re.search(r"its training images are the champion's \d+ and no others", more.reason)


def _draw(folder: Path, breed: str, seeds: Iterable[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        draw(breed, "white", seed).save(folder / f"{breed}-{seed}.jpg", quality=90)


def _rename(folder: Path, names: dict[str, str]) -> None:
    """Give the folders of classes these names, in every split."""
    for split in sorted((folder / "photos").iterdir()):
        for old in names:
            shutil.move(split / old, split / f"{old}, moved")
        for old, new in names.items():
            shutil.move(split / f"{old}, moved", split / new)

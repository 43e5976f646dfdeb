"""Two whole nights at once: neither loses what the other did."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tasks.stores.ledger import Ledger
from tests.servers import PrefectServer

SETTINGS = """
source: {{url: "{place}/photos"}}
store: {{url: "{place}/store"}}
dataset: {{min_images_per_class: 3}}
backbone: {{weights: random, cut: mixed0, size: 75}}
training: {{epochs: 3}}
gate: {{rules: [accuracy at least 0, accuracy not worse by 1], needs: no-harm}}
tracking: {{url: "sqlite:///{place}/mlflow.db"}}
"""
PEDIGREE = Path(sys.executable).with_name("pedigree")
Begin = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def begin(prefect_server: PrefectServer, photos: Path) -> Begin:
    """Begin a night in a process of its own, on ten real photographs of each of three breeds."""
    assert prefect_server.api_url

    def run(place: Path, *changes: str) -> subprocess.Popen[str]:
        if not place.exists():
            (place / "photos").mkdir(parents=True)
            for breed in sorted(photos.glob("[!.]*/"))[:3]:
                (place / "photos" / breed.name).symlink_to(breed)
        (place / "settings.yaml").write_text(SETTINGS.format(place=place))
        sets = [f"--set={change}" for change in changes]
        command = [str(PEDIGREE), "retrain", "-c", str(place / "settings.yaml"), "--json"]
        return subprocess.Popen(  # noqa: S603 - our own command line
            [*command, *sets], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return run


def ended(night: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a night, and return what it printed."""
    said, complaint = night.communicate()
    assert night.returncode == 0, complaint
    found: dict[str, Any] = json.loads(said)
    return found


def test_two_nights_at_once_lose_nothing(begin: Begin, tmp_path: Path) -> None:
    """Of two nights with different seeds the slower one judges against the faster one; a third finds all in order."""
    first, second = begin(tmp_path / "shared"), begin(tmp_path / "shared", "training.seed=1")
    both = [ended(first), ended(second)]
    ledger = Ledger(str(tmp_path / "shared" / "store"))
    assert [(one.number, one.against) for one in ledger.entries()] == [(1, None), (2, 1)]
    assert sorted(len(night["gate"]) for night in both) == [1, 2]
    last = ended(begin(tmp_path / "shared", "training.seed=2"))
    assert last["images"] == {"total": 30, "new": 0, "rejected": 0, "embedded": 0}
    champion = ledger.champion()
    assert champion
    client = MlflowClient(f"sqlite:///{tmp_path}/shared/mlflow.db")
    assert str(client.get_model_version_by_alias("pedigree", "champion").version) == champion.model_version

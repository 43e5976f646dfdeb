"""Runs whose features ONNX Runtime computes, on drawn dogs: TensorFlow exports once, and is gone afterwards."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.catalog.verify import verify
from tasks.domain.synthetic.drawn_dogs import BREEDS, draw
from tasks.engine.tally import Advance
from tasks.stores.store import Store
from tests.servers import PrefectServer

# Seven commands of whole runs, on a machine that may do other work too.
pytestmark = pytest.mark.timeout(900)

SETTINGS = """
source: {{url: "{place}/photos"}}
store: {{url: "{place}/store"}}
dataset: {{min_images_per_class: 5}}
backbone: {{weights: random, cut: mixed0, size: 75, engine: onnxruntime}}
fine_tuning: {{from_block: mixed0, epochs: 1, batch: 16, learning_rate: 0.001}}
gate: {{rules: [served as evaluated], needs: no-harm}}
tracking: {{url: "sqlite:///{place}/mlflow.db"}}
"""
# Runs the command line where the modules that are named cannot be imported.
COMMAND = """
import sys
sys.modules.update(dict.fromkeys(filter(None, sys.argv.pop(1).split(","))))
from flows.cli.app import app
app(sys.argv[1:])
"""
TENSORFLOW = "tensorflow,keras,h5py,onnx"
Pedigree = Callable[..., dict[str, Any]]


@pytest.fixture
def pedigree(tmp_path: Path, prefect_server: PrefectServer) -> Pedigree:
    """Run a command of Pedigree in a process of its own, and return what it prints."""
    assert prefect_server.api_url
    settings = tmp_path / "settings.yaml"
    settings.write_text(SETTINGS.format(place=tmp_path))

    def run(*arguments: str, without: str = "", code: int = 0) -> dict[str, Any]:
        command = [sys.executable, "-c", COMMAND, without, *arguments, "-c", str(settings), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
        assert done.returncode == code, done.stderr
        answer: dict[str, Any] = {"problem": done.stderr} if code else json.loads(done.stdout)
        return answer

    return run


@contextmanager
def quiet(_text: str, _total: int) -> Iterator[Advance]:
    """Show nothing of the progress."""
    yield lambda _images, _seconds=None, /: None


def photographs(folder: Path, numbers: range) -> None:
    """Draw dogs of two breeds into the source."""
    for breed in BREEDS[:2]:
        (folder / "photos" / breed).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            draw(breed, "brown", number, side=96).save(folder / "photos" / breed / f"{number}.png")


def test_after_one_export_nothing_needs_tensorflow_but_fine_tuning(pedigree: Pedigree, tmp_path: Path) -> None:
    """Training, serving and reproducing work where it cannot be imported; fine-tuned ends serve as evaluated too.

    Of the exported network, a file under its own hash, one changed bit is found by verifying, and no run takes it. A
    champion of an engine that is gone is excused where the settings say so, in one sentence.
    """
    store = Store(str(tmp_path / "store"))
    photographs(tmp_path, range(16))
    assert pedigree("retrain")["status"] == "promoted"
    photographs(tmp_path, range(16, 22))
    second = pedigree("retrain", without=TENSORFLOW)
    assert (second["status"], second["images"]["embedded"]) == ("promoted", 12)
    reproduced = pedigree("reproduce", "champion", "--from-pixels", without=TENSORFLOW)
    assert (reproduced["verdict"], reproduced["refitted"]["unequal"]) == ("identical", 0)

    (graph,) = (tmp_path / "store" / "backbones").glob("*.onnx")
    assert not verify(store, "latest", quiet).damage
    data = graph.read_bytes()
    graph.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert f"backbones/{graph.name}" in {entry.what for entry in verify(store, "latest", quiet).damage}
    failed = pedigree("retrain", "--force", without=TENSORFLOW, code=1)
    assert f"The file backbones/{graph.name} in" in failed["problem"]
    graph.write_bytes(data)

    tuned = pedigree("retrain", "--force", "--set", "training.method=fine-tune")
    assert "8 test images answered as evaluated, bit for bit" in tuned["reason"]
    champion = store.ledger.champion()
    assert champion
    assert store.backbones.read_facts(champion.backbone)["engine"].startswith("onnxruntime ")

    other = ("retrain", "--force", "--set", "backbone.engine=tensorflow")
    failed = pedigree(*other, without="onnxruntime", code=1)
    assert "pip install 'pedigree[onnxruntime]'" in failed["problem"]
    excused = pedigree(*other, "--set", "gate.when_champion_fails=absolute", without="onnxruntime")
    assert excused["status"] in {"promoted", "rejected"}

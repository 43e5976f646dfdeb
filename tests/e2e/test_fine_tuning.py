"""Runs that fine-tune, on drawn dogs: cut off, gone on with, and followed by a run that only trains a head."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.domain.synthetic.drawn_dogs import BREEDS, draw
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tests.servers import PrefectServer, free_port

SETTINGS = """
source: {{url: "{place}/photos"}}
store: {{url: "{place}/store"}}
dataset: {{min_images_per_class: 5}}
backbone: {{weights: random, cut: mixed0, size: 75}}
training: {{method: fine-tune, epochs: 3}}
fine_tuning: {{from_block: mixed0, epochs: 2, batch: 16, learning_rate: 0.001}}
gate: {{rules: [accuracy not worse by 1], needs: no-harm, serve_check: false}}
tracking: {{url: "sqlite:///{place}/mlflow.db"}}
"""
# Runs the command line, and dies as if the power had failed when the checkpoint of this epoch stands.
COMMAND = """
import os, sys
from tasks.stores.files.weights import CheckpointStore
deadly, keep = int(sys.argv.pop(1)), CheckpointStore.keep
def last(store, epoch, data):
    keep(store, epoch, data)
    if epoch == deadly:
        os._exit(9)
CheckpointStore.keep = last
from flows.cli.app import app
app(sys.argv[1:])
"""


def photographs(folder: Path, numbers: range) -> None:
    """Draw dogs of two breeds into the source."""
    for breed in BREEDS[:2]:
        (folder / "photos" / breed).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            draw(breed, "brown", number, side=96).save(folder / "photos" / breed / f"{number}.png")


def run(folder: Path, *arguments: str, deadly: int = -1) -> subprocess.CompletedProcess[str]:
    """Run a run in a process of its own."""
    settings = folder / "settings.yaml"
    settings.write_text(SETTINGS.format(place=folder))
    command = [sys.executable, "-c", COMMAND, str(deadly), "retrain", "-c", str(settings), "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line


def ended(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what a run that came to its end printed."""
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_run_fine_tunes_and_the_next_ones_know_it(prefect_server: PrefectServer, tmp_path: Path) -> None:
    """Cut off after an epoch it goes on and promotes; then nothing is new; then a head competes with that champion.

    A trial that cannot be is a sentence of that run, and no word of the next, which finds nothing new.
    """
    assert prefect_server.api_url
    store = str(tmp_path / "store")
    photographs(tmp_path, range(20))
    assert run(tmp_path, deadly=1).returncode == 9
    (checkpoint,) = open_bucket(store).entries("checkpoints/")
    assert checkpoint.key.endswith("/1.npz")

    first = ended(run(tmp_path))
    assert (first["status"], first["images"]["new"]) == ("promoted", 0)
    champion = Store(store).ledger.champion()
    assert champion
    assert {entry.key for entry in open_bucket(store).entries("backbones/")} >= {f"backbones/{champion.backbone}.json"}
    assert list(open_bucket(store).entries("checkpoints/")) == []
    assert ended(run(tmp_path))["status"] == "unchanged"

    photographs(tmp_path, range(20, 25))
    tries = ("--set", "training.method=head", "--set", "fine_tuning.trial=10")
    done = run(tmp_path, *tries)
    second = ended(done)
    assert second["images"]["new"] == 10
    assert {rule["rule"] for rule in second["gate"]} >= {"accuracy not worse by 1"}
    assert "Fine-tuning was not tried: the validation split holds" in done.stderr
    done = run(tmp_path, *tries)
    assert ended(done)["status"] == "unchanged"
    assert "Fine-tuning" not in done.stderr


def test_two_machines_share_a_run(prefect_server: PrefectServer, tmp_path: Path) -> None:
    """A run and its worker, begun as the documentation says, fine-tune together; the run decides, both end well."""
    assert prefect_server.api_url
    photographs(tmp_path, range(20))
    settings = tmp_path / "settings.yaml"
    settings.write_text(SETTINGS.format(place=tmp_path))
    cluster = {"worker": [f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"]}
    options = ["-c", str(settings), "--json", "--set", "fine_tuning.epochs=1"]
    machines = [
        subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-c", "from flows.cli.app import app; app()", command, *options],
            env={**os.environ, "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": n}})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n, command in enumerate(("retrain", "worker"))
    ]
    try:
        outputs = [process.communicate(timeout=200) for process in machines]
    finally:
        for process in machines:
            process.kill()
    assert [process.returncode for process in machines] == [0, 0], outputs
    first, helped = (json.loads(answer) for answer, _ in outputs)
    assert first["status"] == "promoted"
    assert helped["dataset"] == first["dataset"]


def test_a_block_behind_the_cut_is_a_sentence(tmp_path: Path) -> None:
    """Who lets a block learn that the backbone does not have is told the nearest one, before anything begins."""
    done = run(tmp_path, "--set", "fine_tuning.from_block=mixed9")
    assert done.returncode == 2
    assert "fine_tuning.from_block is mixed9, which is behind backbone.cut mixed0: set" in done.stderr


@pytest.mark.parametrize("text", ["{", '{"cluster": {"ps": []}, "task": {"type": "ps", "index": 0}}', ""])
def test_a_worker_that_knows_nobody_is_a_sentence(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a TF_CONFIG that names workers, ``pedigree worker`` says how to write it."""
    from configs.errors import SettingsError
    from configs.load import read_settings
    from tasks.training.fine_tune import take_part

    (tmp_path / "settings.yaml").write_text(SETTINGS.format(place=tmp_path))
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(SettingsError, match="TF_CONFIG"):
        take_part(read_settings(tmp_path / "settings.yaml"))

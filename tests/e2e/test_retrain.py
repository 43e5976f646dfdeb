"""Whole runs on real photographs, from a folder and from a real S3 server, as a user starts them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from tasks.domain.hashing import sha256_of
from tests.servers import Ceph, PrefectServer

SETTINGS = """
source: {{url: "{source}"}}
store: {{url: "{store}"}}
dataset: {{min_images_per_class: 5}}
backbone: {{weights: random, cut: mixed0, size: 75}}
tracking: {{model: "{model}"}} # One MLflow serves all tests, and a model is one store's.
gate: {{rules: [], needs: no-harm, serve_check: false}}
"""
# Runs the command line as a user does, then tells which heavy libraries were loaded on the way.
COMMAND = """
import sys
from flows.cli.app import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    loaded = [name for name in ("tensorflow", "keras") if name in sys.modules]
    sys.stderr.write("loaded: " + ",".join(loaded))
    raise
"""
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, prefect_server: PrefectServer) -> Run:
    """Run ``pedigree retrain --json`` in a process of its own, and return what it prints."""
    assert prefect_server.api_url

    def run(source: str, store: str, *arguments: str) -> dict[str, Any]:
        settings = tmp_path / "settings.yaml"
        settings.write_text(SETTINGS.format(source=source, store=store, model=f"model-{sha256_of(store)[:12]}"))
        command = [sys.executable, "-c", COMMAND, "retrain", "-c", str(settings), "--json", *arguments]
        done = subprocess.run(  # noqa: S603 - our own command line
            command, capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        outcome: dict[str, Any] = json.loads(done.stdout)
        return {**outcome, "loaded": done.stderr.rpartition("loaded: ")[2]}

    return run


def upload(folder: Path, bucket: str, prefix: str = "") -> None:
    """Put every file of a folder into a bucket under its path."""
    client = boto3.client("s3")
    for path in sorted(folder.rglob("*.jpg")):
        client.upload_file(str(path), bucket.removeprefix("s3://"), prefix + path.relative_to(folder).as_posix())


def copy_photographs(photos: Path, target: Path, numbers: range) -> Path:
    """Copy the photographs of these numbers of every breed."""
    for breed in sorted(path for path in photos.iterdir() if path.is_dir()):
        (target / breed.name).mkdir(parents=True, exist_ok=True)
        for photo in sorted(breed.glob("*.jpg"))[numbers.start : numbers.stop]:
            shutil.copy(photo, target / breed.name)
    return target


def requests(ceph: Ceph, since: int, needle: str) -> list[str]:
    """List the requests that the S3 server has received since its log had so many bytes."""
    return [line for line in ceph.log.read_bytes()[since:].decode(errors="replace").splitlines() if needle in line]


def test_folder_and_bucket_give_the_same_dataset(run: Run, photos: Path, s3_bucket: str, tmp_path: Path) -> None:
    """By this process from a folder or by a Dask worker from a bucket, 250 photographs give one dataset and model."""
    upload(photos, s3_bucket, "incoming/")
    asking = (str(photos), str(tmp_path / "store"), "--set", "gate.serve_check=true")
    first = run(*asking)
    second = run(
        f"{s3_bucket}/incoming", f"{s3_bucket}/store", "--set", "scale.engine=dask", "--set", "scale.workers=1"
    )
    assert (first["status"], second["status"]) == ("promoted", "promoted")
    assert first["dataset"] == second["dataset"]
    assert first["images"]["total"] == second["images"]["embedded"] == 250
    assert first["metrics"] == second["metrics"]
    assert [(rule["outcome"], rule["silent"]) for rule in first["gate"]] == [("passed", False)]
    assert "8 test images answered as evaluated, bit for bit" in first["reason"]
    repeated = run(*asking)
    assert (repeated["status"], repeated["loaded"]) == ("unchanged", "")


def test_cost_follows_what_is_new(run: Run, photos: Path, s3_bucket: str, ceph: Ceph, tmp_path: Path) -> None:
    """A photograph is fetched and embedded once: a run with nothing new lists, one with 25 new ones fetches 25."""
    source, store = f"{s3_bucket}/photos", str(tmp_path / "store")
    upload(copy_photographs(photos, tmp_path / "first", range(5)), s3_bucket, "photos/")
    assert run(source, store)["images"] == {"total": 125, "new": 125, "rejected": 0, "embedded": 125}

    before = ceph.log.stat().st_size
    unchanged = run(source, store)
    requested = requests(ceph, before, s3_bucket.removeprefix("s3://"))
    assert (unchanged["status"], unchanged["loaded"]) == ("unchanged", "")
    assert requested
    assert [line for line in requested if "photos/" in line.partition("?")[0] and ".jpg" in line] == []

    upload(copy_photographs(photos, tmp_path / "second", range(5, 6)), s3_bucket, "photos/")
    before = ceph.log.stat().st_size
    outcome = run(source, store)
    assert outcome["images"] == {"total": 150, "new": 25, "rejected": 0, "embedded": 25}
    assert len([line for line in requests(ceph, before, "GET ") if ".jpg" in line]) == 25
    assert outcome["parent"] == unchanged["dataset"]


def test_forced_runs_give_the_same_model(run: Run, photos: Path, tmp_path: Path) -> None:
    """Training again on the same data gives the very same model, which is registered once."""
    source, store = str(copy_photographs(photos, tmp_path / "photos", range(5))), str(tmp_path / "store")
    first, second = run(source, store), run(source, store, "--force")
    assert first["model_version"] == second["model_version"]
    assert first["metrics"] == second["metrics"]
    assert second["images"]["embedded"] == 0

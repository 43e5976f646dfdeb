"""Labels as other tools export them, with real photographs in a real bucket."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from tasks.stores.store import Store
from tests.servers import PrefectServer

PEDIGREE = Path(sys.executable).with_name("pedigree")
SETTINGS = """
source: {{url: "{bucket}/in"}}
store: {{url: "{bucket}/out"}}
labels: {{sources: [manifest], manifest: labels}}
dataset: {{min_images_per_class: 5}}
backbone: {{weights: random, cut: mixed0, size: 75}}
gate: {{rules: [], needs: no-harm, serve_check: false}}
tracking: {{model: exports}}
"""
TIME = "2026-11-01T10:00:00.000000Z"


def label_studio(labels: Mapping[str, str]) -> str:
    """Write what Label Studio exports as JSON: one task an object, with each annotator's results."""
    return json.dumps([_task(number, address, label) for number, (address, label) in enumerate(labels.items(), 1)])


def _task(number: int, address: str, label: str) -> dict[str, Any]:
    choice = {"type": "choices", "from_name": "breed", "to_name": "image", "value": {"choices": [label]}}
    done = {"id": number, "completed_by": 1, "was_cancelled": False, "lead_time": 2.5, "result": [choice]}
    return {"id": number, "data": {"image": address}, "annotations": [done], "predictions": [], "created_at": TIME}


def ground_truth(labels: Mapping[str, str]) -> str:
    """Write the augmented manifest of a Ground Truth job: one object a line, the class's name among its metadata."""
    names = sorted(set(labels.values()))
    note = {"type": "groundtruth/image-classification", "job-name": "labeling-job/breed", "confidence": 0.94}
    more = {"human-annotated": "yes", "creation-date": TIME}
    return "".join(
        json.dumps(
            {"source-ref": key, "breed": names.index(label), "breed-metadata": note | more | {"class-name": label}}
        )
        + "\n"
        for key, label in labels.items()
    )


@pytest.fixture
def breeds(photos: Path, s3_bucket: str) -> dict[str, str]:
    """Put ten real photographs of each of three breeds into the bucket, and map their addresses to the breeds."""
    client, keys = boto3.client("s3"), {}
    paths = [path for breed in sorted(photos.glob("[!.]*/"))[:3] for path in sorted(breed.glob("*.jpg"))]
    for number, path in enumerate(paths):
        key = f"in/new dogs/{number:03}.jpg"
        client.put_object(Bucket=s3_bucket.removeprefix("s3://"), Key=key, Body=path.read_bytes())
        keys[f"{s3_bucket}/{key}"] = path.parent.name
    return keys


def test_exports_of_other_tools_label_a_bucket(
    breeds: dict[str, str], s3_bucket: str, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    """The same labels from Label Studio and Ground Truth come to the same version, and a model is trained on it."""
    assert prefect_server.api_url
    settings = tmp_path / "settings.yaml"
    settings.write_text(SETTINGS.format(bucket=s3_bucket))
    client, name = boto3.client("s3"), s3_bucket.removeprefix("s3://")
    client.put_object(Bucket=name, Key="in/labels", Body=label_studio(breeds).encode())
    rebuilt = answered("data", "rebuild", "-c", str(settings))
    assert (rebuilt["ingested"]["fetched"], rebuilt["labels"]["images"]) == (len(breeds), len(breeds))
    rows = Store(f"{s3_bucket}/out").manifests.read(rebuilt["dataset"]["hash"])
    assert {f"{s3_bucket}/in/{row.key}": row.label for row in rows} == breeds
    assert {row.attributes for row in rows} == {()}

    client.put_object(Bucket=name, Key="in/labels", Body=ground_truth(breeds).encode())
    run = answered("retrain", "-c", str(settings))
    assert (run["status"], run["dataset"]) == ("promoted", rebuilt["dataset"]["hash"])
    assert run["images"] == {"total": len(breeds), "new": 0, "rejected": 0, "embedded": len(breeds)}


def answered(*arguments: str) -> dict[str, Any]:
    """Run a command that must end well, and return the object that it prints."""
    command = [str(PEDIGREE), *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer

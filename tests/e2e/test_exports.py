"""Labels as other tools export them, with real photographs in a real bucket."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from tasks.stores.datasets import read_manifest
from tests.servers import PrefectServer

PEDIGREE = Path(sys.executable).with_name("pedigree")
SETTINGS = """
source: {{url: "{bucket}/in"}}
store: {{url: "{bucket}/out"}}
labels: {{sources: [manifest], manifest: labels}}
dataset: {{min_images_per_class: 5}}
backbone: {{weights: random, cut: mixed0, size: 75}}
training: {{epochs: 2}}
gate: {{minimum_accuracy: 0}}
"""
TIME = "2026-11-01T10:00:00.000000Z"


def label_studio_json(labels: Mapping[str, str]) -> str:
    """Write what Label Studio exports as JSON: one task an object, with each annotator's results."""
    return json.dumps([_task(number, address, label) for number, (address, label) in enumerate(labels.items(), 1)])


def _task(number: int, address: str, label: str) -> dict[str, Any]:
    choice = {"type": "choices", "from_name": "breed", "to_name": "image", "value": {"choices": [label]}}
    done = {"id": number, "completed_by": 1, "was_cancelled": False, "lead_time": 2.5, "result": [choice]}
    return {"id": number, "data": {"image": address}, "annotations": [done], "predictions": [], "created_at": TIME}


def label_studio_rows(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Make the rows of Label Studio's flat exports."""
    return [
        {"image": address, "id": number, "breed": label, "annotator": 1, "annotation_id": number}
        | {"created_at": TIME, "updated_at": TIME, "lead_time": 2.5}
        for number, (address, label) in enumerate(labels.items(), 1)
    ]


def label_studio_csv(labels: Mapping[str, str]) -> str:
    """Write what Label Studio exports as CSV."""
    rows, text = label_studio_rows(labels), io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def ground_truth(labels: Mapping[str, str]) -> str:
    """Write the augmented manifest of a Ground Truth job: one object a line, the class's name among its metadata."""
    names = sorted(set(labels.values()))
    note = {"type": "groundtruth/image-classification", "job-name": "labeling-job/breed", "confidence": 0.94}
    more = {"human-annotated": "yes", "creation-date": TIME}
    return "".join(
        json.dumps(
            {"source-ref": one, "breed": names.index(label), "breed-metadata": note | more | {"class-name": label}}
        )
        + "\n"
        for one, label in labels.items()
    )


FORMS: dict[str, Callable[[Mapping[str, str]], str]] = {
    "JSON": label_studio_json,
    "JSON-MIN": lambda labels: json.dumps(label_studio_rows(labels)),
    "CSV": label_studio_csv,
    "Ground Truth": ground_truth,
}


@pytest.fixture
def breeds(photos: Path, s3_bucket: str) -> dict[str, str]:
    """Put ten real photographs of each of three breeds into the bucket, and map their addresses to the breeds."""
    client, found = boto3.client("s3"), {}
    paths = [path for breed in sorted(photos.glob("[!.]*/"))[:3] for path in sorted(breed.glob("*.jpg"))]
    for number, path in enumerate(paths):
        key = f"in/new dogs/{number:03}.jpg"
        client.put_object(Bucket=s3_bucket.removeprefix("s3://"), Key=key, Body=path.read_bytes())
        found[f"{s3_bucket}/{key}"] = path.parent.name
    return found


def test_exports_of_other_tools_label_a_bucket(
    breeds: dict[str, str], s3_bucket: str, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    """Whatever tool exported the labels, they come to the same version, fetched once, and it can be trained on."""
    assert prefect_server.api_url
    settings = tmp_path / "settings.yaml"
    settings.write_text(SETTINGS.format(bucket=s3_bucket))
    versions = set()
    for form, export in FORMS.items():
        boto3.client("s3").put_object(
            Bucket=s3_bucket.removeprefix("s3://"), Key="in/labels", Body=export(breeds).encode()
        )
        found = answered("data", "rebuild", "-c", str(settings))
        assert found["ingested"]["fetched"] == (0 if versions else len(breeds)), form
        assert found["labels"]["images"] == len(breeds), form
        versions.add(found["dataset"]["hash"])
    (version,) = versions
    rows = read_manifest(f"{s3_bucket}/out", version)
    assert {f"{s3_bucket}/in/{row.key}": row.label for row in rows} == breeds
    assert {row.attributes for row in rows} == {()}
    night = answered("retrain", "-c", str(settings))
    assert (night["status"], night["dataset"]) == ("promoted", version)


def answered(*arguments: str) -> dict[str, Any]:
    """Run a command that must end well, and return the object that it prints."""
    command = [str(PEDIGREE), *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found

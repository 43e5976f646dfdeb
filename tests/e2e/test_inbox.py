"""Live pictures on the whole way: kept, exported, labelled, accepted, read by a run, and a slice of its evaluation."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tasks.domain.datasets.splits import Split
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.synthetic.drawn_dogs import draw
from tasks.stores.inbox import Inbox
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tests.e2e.test_data import answered
from tests.servers import PrefectServer, mlflow_database
from tests.tasks.domain.serving.test_labelling_tasks import annotate
from tests.tasks.stores.test_inbox import make_record

BREEDS = ("corgi", "poodle")
# A manifest of somebody's own, and attributes of which the inbox's are none.
SETTINGS = """
source: {{url: "{url}/photos"}}
store: {{url: "{folder}/store"}}
inbox: {{url: "{url}/box"}}
labels: {{sources: [manifest, folder], manifest: labels.csv, attributes: [coat], layout: label}}
dataset: {{min_images_per_class: 5}}
backbone: {{weights: random, cut: mixed0, size: 75}}
tracking: {{url: "{mlflow}"}}
gate: {{rules: [], needs: no-harm, serve_check: false, minimum_support: 1}}
"""
Write = Callable[[str], str]


@pytest.fixture
def write_settings(tmp_path: Path, prefect_server: PrefectServer) -> Write:
    """Write the settings of a source and an inbox below an address, and return their path."""
    assert prefect_server.api_url

    def write(url: str) -> str:
        path = tmp_path / "settings.yaml"
        path.write_text(SETTINGS.format(url=url, folder=tmp_path, mlflow=mlflow_database(tmp_path)))
        return str(path)

    return write


def picture(breed: str, seed: int) -> bytes:
    """Draw a small photograph of a breed."""
    data = io.BytesIO()
    draw(breed, "black" if seed % 2 else "white", seed).resize((80, 80), Image.Resampling.LANCZOS).save(data, "JPEG")
    return data.getvalue()


def fill(url: str) -> dict[str, str]:
    """Put photographs into the source and others into the inbox, and return what the latter show."""
    source, inbox, breeds = open_bucket(f"{url}/photos"), Inbox(f"{url}/box"), dict[str, str]()
    source.create("labels.csv", b"key,label,coat\ncorgi/0.jpg,corgi,red\n")
    for breed in BREEDS:
        for seed in range(8):
            source.create(f"{breed}/{seed}.jpg", picture(breed, seed))
            data = picture(breed, 100 + seed)
            inbox.put(make_record(data), data)
            breeds[sha256_of_bytes(data)] = breed
    return breeds


def label(config: str, folder: Path, breeds: Mapping[str, str]) -> dict[str, Any]:
    """Export the inbox, label it as people would in Label Studio, and let it come in."""
    assert answered("inbox", "export", str(folder / "tasks"), "-c", config)["tasks"] == len(breeds)
    tasks = json.loads((folder / "tasks" / "tasks.json").read_text())
    labelled = [annotate(task, breeds[task["data"]["image"].rpartition("/")[2][:64]]) for task in tasks]
    (folder / "export.json").write_text(json.dumps(labelled))
    return answered("inbox", "accept", str(folder / "export.json"), "-c", config)


def test_labelled_pictures_become_training_images(url: str, write_settings: Write, tmp_path: Path) -> None:
    """They have their own label and from=inbox, and a split as every other; whatever the settings say of labels."""
    breeds, config = fill(url), write_settings(url)
    assert label(config, tmp_path, breeds)["added"] == breeds
    # A picture that no file of labels names, as a killed command leaves it, has no label.
    open_bucket(f"{url}/photos").create(f"pedigree-inbox/{'e' * 64}.jpg", picture("corgi", 200))
    answer = answered("data", "rebuild", "-c", config)
    assert (answer["labels"]["images"], answer["labels"]["unlabelled"]) == (2 * len(breeds), 1)
    assert answer["labels"]["manifest"]["without_row"][0] == len(breeds) - 1
    rows = Store(str(tmp_path / "store")).manifests.read(answer["dataset"]["hash"])
    inbox = {row.image: row for row in rows if row.key.startswith("pedigree-inbox/")}
    assert {image: row.label for image, row in inbox.items()} == breeds
    assert {row.attributes[:2] for row in inbox.values()} == {(("from", "inbox"), ("kept_for", "unsure"))}
    assert {row.split for row in inbox.values()} == {Split.TRAIN, Split.VALIDATION, Split.TEST}
    others = [row for row in rows if row.image not in inbox]
    assert [dict(row.attributes) for row in others if row.key == "corgi/0.jpg"] == [{"coat": "red"}]
    assert {row.label for row in others} == set(BREEDS)

    gone = next(iter(breeds))
    forgotten = answered("data", "forget", gone, "-c", config)
    assert forgotten["inbox"] == {"image": gone, "kept": True, "came_in": [f"pedigree-inbox/{gone}.jpg"]}
    again = answered("data", "rebuild", "-c", config)
    assert gone not in {row.image for row in Store(str(tmp_path / "store")).manifests.read(again["dataset"]["hash"])}
    assert again["labels"]["images"] == answer["labels"]["images"] - 1


def test_a_slice_tells_how_a_model_does_on_live_pictures(write_settings: Write, tmp_path: Path) -> None:
    """After a run the slice from=inbox has figures of its own in the metrics, the report and the model card."""
    url = str(tmp_path)
    breeds, config = fill(url), write_settings(url)
    label(config, tmp_path, breeds)
    outcome = answered("retrain", "-c", config)
    rows = Store(str(tmp_path / "store")).manifests.read(outcome["dataset"])
    tested = [row for row in rows if row.split is Split.TEST and ("from", "inbox") in row.attributes]
    assert outcome["metrics"]["slice/from:inbox/support"] == len(tested) > 0
    assert outcome["metrics"]["slice/kept_for:unsure/support"] == len(tested)
    assert 0 <= outcome["metrics"]["slice/from:inbox/recall"] <= 1

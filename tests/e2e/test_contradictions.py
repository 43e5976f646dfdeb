"""Labels that contradict each other, and folders that do not fit the layout, are named before and after a version."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.flows.cli.test_app import pedigree
from tests.servers import PrefectServer

Command = Callable[..., Any]


def picture(seed: int, quality: int = 90) -> bytes:
    """Draw some large spots, as a JPEG that can be written again in another quality."""
    spots = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(spots).resize((96, 96), Image.Resampling.BICUBIC).save(sink, "JPEG", quality=quality)
    return sink.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Name the folder of the source."""
    return tmp_path / "photos"


@pytest.fixture
def command(tmp_path: Path, prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command of ``pedigree data`` on the folder, and return its JSON."""
    assert prefect_server.api_url
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"source: {{url: '{tmp_path}/photos'}}\nstore: {{url: '{tmp_path}/store'}}\n")

    def run(*arguments: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
        done = pedigree("data", *arguments, "-c", str(settings), "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def put(folder: Path, files: dict[str, bytes]) -> None:
    """Write files below a folder."""
    for key, data in files.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(data)


def test_conflicts_are_named_where_no_version_exists(command: Command, photos: Path) -> None:
    """Where every image is under two labels the run says so, and ``data rejects`` names them, with latest or not."""
    put(photos, {f"{label}/{number}.jpg": picture(number) for number in range(3) for label in ("boxer", "pug")})
    dataset = command("rebuild")["dataset"]
    assert dataset["state"] == "waiting"
    assert "3 images under two labels, which pedigree data rejects names" in dataset["reason"]
    for words in (["rejects"], ["rejects", "latest"]):
        exclusions = command(*words)["absent"]
        assert {exclusion["reason"] for exclusion in exclusions} == {"conflict"}
        assert {exclusion["key"] for exclusion in exclusions} == {
            f"{label}/{n}.jpg" for n in range(3) for label in ("boxer", "pug")
        }


def test_near_duplicates_under_two_labels_are_a_finding(command: Command, photos: Path, tmp_path: Path) -> None:
    """Re-encoded copies under another label are used, found in pairs, counted, and listed with the rejects."""
    put(photos, {f"pug/{number}.jpg": picture(number) for number in range(20)})
    put(photos, {f"boxer/{number}.jpg": picture(100 + number) for number in range(14)})
    put(photos, {f"boxer/copy-{number}.jpg": picture(number, quality=50) for number in range(6)})
    dataset = command("rebuild", "--set", "dataset.min_images_per_class=5")["dataset"]
    assert (dataset["state"], dataset["images"], dataset["contradictory"]) == ("new", 40, 12)
    folder = tmp_path / "store" / "datasets" / dataset["hash"]
    (finding,) = [
        candidate
        for candidate in json.loads((folder / "card.json").read_text())["findings"]
        if "two labels" in candidate["kind"]
    ]
    keys = [candidate["key"] for candidate in finding["images"]]
    pairs = {frozenset(keys[index : index + 2]) for index in range(0, 12, 2)}
    assert pairs == {frozenset((f"pug/{number}.jpg", f"boxer/copy-{number}.jpg")) for number in range(6)}
    page = (folder / "card.html").read_text()
    assert all(key in page for key in keys)
    for words in (["rejects"], ["rejects", "latest"]):
        listed = [
            candidate["key"]
            for candidate in command(*words)["absent"]
            if candidate["reason"] == "alike-under-two-labels"
        ]
        assert sorted(listed) == sorted(keys)


def test_splits_as_classes_are_a_question_and_then_obeyed(command: Command, photos: Path) -> None:
    """No image gets a split until it is said what train and test mean; a published split is kept but for twins."""
    for index, split in enumerate(("train", "val", "test")):
        for label in ("boxer", "pug"):
            numbers = range(index * 20 + (label == "pug") * 10, index * 20 + (label == "pug") * 10 + 10)
            put(photos, {f"{split}/{label}/{number}.jpg": picture(number) for number in numbers})
    put(photos, {"train/pug/twin.jpg": picture(50, quality=50)})
    questioned = command("rebuild")["dataset"]
    assert (questioned["state"], questioned["images"]) == ("waiting", 0)
    assert "set labels.layout to split/label, and labels.splits to keep" in questioned["reason"]
    small = ["--set", "dataset.min_images_per_class=5", "--set", "labels.layout=split/label"]
    dataset = command("rebuild", *small, "--set", "labels.splits=keep")["dataset"]
    assert (dataset["state"], dataset["classes"]) == ("new", ["boxer", "pug"])
    splits = {row["label"]: row["splits"] for row in command("show", "latest")["classes"]}
    assert splits["boxer"] == {"train": 10, "validation": 10, "test": 10}
    assert splits["pug"] == {"train": 10, "validation": 10, "test": 10, "held-out": 1}
    (named,) = [row for row in command("rejects", "latest")["absent"] if row["reason"] == "not-in-published-split"]
    assert (named["key"], "held-out here, like test/pug/50.jpg" in named["detail"]) == ("train/pug/twin.jpg", True)
    assert command("rebuild", *small)["dataset"]["state"] == "new"

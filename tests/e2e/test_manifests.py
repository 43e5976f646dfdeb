"""A manifest on its way through the real line, from a folder and from a bucket."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from tasks.datasets.source_manifest import LARGEST_MANIFEST
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tests.e2e.test_data import card, folder, pedigree, settings

__all__ = ["folder", "settings"]  # fixtures

_JOB = "groundtruth/image-classification"


@pytest.fixture(params=["folder", "bucket"])
def source(request: pytest.FixtureRequest, folder: Path, s3_bucket: str, tmp_path: Path) -> str:
    """Ten photographs of two breeds in one flat place; the names of two are decomposed."""
    target = f"{s3_bucket}/in" if request.param == "bucket" else str(tmp_path / "flat")
    if request.param == "folder":
        Path(target).mkdir()
    for breed, name in enumerate(sorted(path.name for path in folder.iterdir())):
        for photo in sorted((folder / name).iterdir()):
            key = f"{'ab'[breed]}{photo.stem}.jpg" if photo.stem != "4" else normalize("NFD", f"ä{'ab'[breed]}.jpg")
            open_bucket(target).create(key, photo.read_bytes())
    return target


def row(source: str, key: str, label: str, **more: Any) -> str:  # noqa: ANN401 - whatever a row holds
    """Write a row of Ground Truth."""
    return json.dumps({"source-ref": f"{source}/{key}", "x-metadata": {"type": _JOB, "class-name": label}, **more})


def test_a_manifest_is_read_exactly_or_by_the_row(source: str, settings: Callable[..., str], tmp_path: Path) -> None:
    """Rows that fit label their photographs; others, and what has none, are counted in log, answer and card."""
    store, names = str(tmp_path / "store"), ("pug", "boxer")
    keys = [(f"{'ab'[breed]}{number}.jpg", names[breed]) for breed in (0, 1) for number in range(4)]
    rows = [row(source, key, label) for key, label in keys[1:]]
    rows += [row(source, normalize("NFC", f"ä{'ab'[breed]}.jpg"), names[breed], coat="white") for breed in (0, 1)]
    rows[0] = row(
        source, "a1.jpg", "pug", **{"y-metadata": {"type": "groundtruth/label-verification", "class-name": "incorrect"}}
    )
    rows += [
        row(source, "a0.jpg", "\ud800"),
        row(source, "nowhere.jpg", "pug"),
        row("s3://other/in", "a0.jpg", "boxer"),
    ]
    open_bucket(source).create("labels.jsonl", "\n".join(rows).encode())
    config = settings(source, store, {"sources": ["manifest"], "manifest": "labels.jsonl"})
    done = pedigree("data", "rebuild", "-c", config, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    labels = answer["labels"]
    assert (labels["images"], labels["unlabelled"], labels["missing"]) == (8, 2, 2)
    assert labels["manifest"] == {
        "rows": 11,
        "fits": 9,
        "missing": [2, [f"{source}/nowhere.jpg", "s3://other/in/a0.jpg"]],
        "skipped": [1, ["line 10 holds a NUL character, or half of a character (a lone surrogate)"]],
        "doubtful": [1, [f"line 1, {source}/a1.jpg"]],
        "ambiguous": [0, []],
        "without_row": [1, ["a0.jpg"]],
        "without_label": [1, ["a1.jpg"]],
    }
    labelling = Store(store).labellings.read(labels["name"])
    assert {image.key: image.label for image in labelling.labelled} == dict(keys[2:]) | {
        normalize("NFD", f"ä{'ab'[breed]}.jpg"): names[breed] for breed in (0, 1)
    }
    assert len(Store(store).manifests.read(answer["dataset"]["hash"])) == 8
    page = (Path(store) / "datasets" / answer["dataset"]["hash"] / "card.html").read_text()
    facts = card(store, answer["dataset"]["hash"])
    assert facts["manifest"] == labels["manifest"]
    for sentence in (
        "1 row of the manifest skipped: line 10",
        "1 row of the manifest doubtful",
        "says nothing of 1 object",
    ):
        assert sentence in page
        assert any(sentence in warning for warning in facts["warnings"])
        assert sentence in " ".join(done.stderr.split())


def test_a_manifest_that_cannot_be_read_for_certain_stops_the_run(
    folder: Path, settings: Callable[..., str], tmp_path: Path
) -> None:
    """An open quote, a field too many and labels in no known column are one sentence each, and nothing is learned."""
    store = str(tmp_path / "store")
    for number, (content, words) in enumerate(
        {
            b'key,label\na0.jpg,"pug\na1.jpg,pug\n': "line 2, column 2: a quote opens here and never ends",
            b"key,label\na0.jpg,Retriever, golden\n": "line 2, column 3: the row has 3 fields, the header 2",
            b"key,breed\na0.jpg,pug\n": "set labels.column to the one that holds the labels (breed)",
            b"key,label\nold/a0.jpg,pug\n": "such as old/a0.jpg: write keys, say in labels.root where they start",
        }.items()
    ):
        (folder / f"{number}.csv").write_bytes(content)
        config = settings(str(folder), store, {"sources": ["manifest", "folder"], "manifest": f"{number}.csv"})
        done = pedigree("data", "rebuild", "-c", config)
        assert done.returncode == 1
        assert words in done.stderr.splitlines()[-1]
    assert not (Path(store) / "datasets").exists()


def test_a_manifest_of_any_size_is_not_read(folder: Path, settings: Callable[..., str], tmp_path: Path) -> None:
    """What is larger than the limit is refused by its listed size, and never read into memory or the store."""
    with (folder / "labels.csv").open("wb") as manifest:
        os.truncate(manifest.fileno(), LARGEST_MANIFEST + 1)
    config = settings(str(folder), str(tmp_path / "store"), {"sources": ["manifest"], "manifest": "labels.csv"})
    done = pedigree("data", "rebuild", "-c", config)
    assert done.returncode == 1
    assert f"{LARGEST_MANIFEST + 1:,} bytes, where {LARGEST_MANIFEST:,} are the most" in done.stderr
    assert not (tmp_path / "store" / "label-manifests").exists()

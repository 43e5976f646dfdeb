"""Two models side by side: what their data and their answers differ in."""

import json
from pathlib import Path

import numpy as np
import pytest

from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.model_record import Record
from tasks.domain.training.results import FeatureSet
from tasks.evaluation.diff_models import Model, compare_predictions, render_diff_files
from tasks.modeling.head.head import Head
from tasks.stores.store import Store

_MADE = FeatureSet("f" * 64, 2)


def _row(number: int, split: Split, label: str = "pug") -> Row:
    return Row(sha256_of(number), label, split, (), f"{label}/{number}.jpg")


def _model(store: str, rows: list[Row], classes: tuple[str, str], favour: int, **settings: object) -> Model:
    """Keep a model that always answers with the class at this place."""
    bias = np.zeros(2, np.float32)
    bias[favour] = 2
    head = Head(classes, np.zeros((_MADE.width, 2), np.float32), bias)
    dataset = dataset_hash(rows)
    Store(store).manifests.write(dataset, rows)
    Store(store).heads.write(head.name, head.to_bytes())
    Store(store).records.write(Record(dataset, {"labels": settings}, _MADE, _MADE, head.name, {}, {}))
    return Model(head.name, dataset)


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Store with the features of six images."""
    images = [sha256_of(number) for number in range(6)]
    Store(str(tmp_path)).features(_MADE.fingerprint, _MADE.width).add(images, np.ones((6, _MADE.width), np.float32))
    return str(tmp_path)


def test_only_test_images_of_both_versions_are_asked(store: str) -> None:
    """An image that one model learned from, or that only one version has, says nothing about the two."""
    old = [_row(0, Split.TEST), _row(1, Split.TEST), _row(2, Split.TRAIN), _row(3, Split.TEST)]
    new = [_row(0, Split.TEST), _row(1, Split.TEST, "boxer"), _row(2, Split.TRAIN), _row(4, Split.TEST)]
    before = _model(store, old, ("boxer", "pug"), favour=0)
    after = _model(store, new, ("boxer", "pug"), favour=1)
    prediction_flips = compare_predictions(Store(store), before, after)
    assert prediction_flips.images == 2
    assert {flip.key: flip.kind for flip in prediction_flips.flips} == {
        "pug/0.jpg": "now right",
        "boxer/1.jpg": "now wrong",
    }
    files = render_diff_files(Store(store), before, after)
    page = files["since-champion.html"].decode()
    assert "Test images now right: 1" in page
    assert "Relabelled: 1" in page
    facts = json.loads(files["since-champion.json"])
    assert [change["key"] for change in facts["added"]] == ["pug/4.jpg"]
    assert facts["predictions"]["images"] == 2


def test_a_class_that_was_given_another_name_is_no_flip(store: str) -> None:
    """The former model's classes are called as the later settings call them."""
    before = _model(store, [_row(0, Split.TEST, "mops")], ("boxer", "mops"), favour=1)
    after = _model(store, [_row(0, Split.TEST)], ("boxer", "pug"), favour=1, aliases={"mops": "pug"})
    assert compare_predictions(Store(store), before, after).flips == ()


def test_a_champion_that_lost_its_record_leaves_the_difference_of_the_images(store: str) -> None:
    """The run's page is written all the same; whoever asks for the flips is told what is missing."""
    rows = [_row(0, Split.TEST)]
    after = _model(store, rows, ("boxer", "pug"), favour=1)
    gone = Model("0" * 64, after.dataset)
    with pytest.raises(PedigreeError, match="is missing"):
        compare_predictions(Store(store), gone, after)
    assert "predictions" not in json.loads(render_diff_files(Store(store), gone, after)["since-champion.json"])

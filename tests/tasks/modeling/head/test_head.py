"""A head on its own, without TensorFlow."""

import dataclasses
import io

import numpy as np
import pytest

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of
from tasks.modeling.backbone.serialization import hash_weights
from tasks.modeling.head.head import _BLOCK, Head


def test_an_answer_does_not_depend_on_its_neighbours(head: Head) -> None:
    """A row alone, among others, and in another order has the same probabilities, bit for bit."""
    features = np.random.default_rng(0).normal(size=(50, len(head.weights))).astype(np.float32)
    together = head.probabilities(features)
    assert np.array_equal(together, np.concatenate([head.probabilities(row[None]) for row in features]))
    assert np.array_equal(together[::-1], head.probabilities(features[::-1]))
    assert np.array_equal(together[7:30], head.probabilities(features[7:30]))


def test_probabilities_add_up_to_one(head: Head) -> None:
    """Even features far away give probabilities, and no number beyond what can be written."""
    probabilities = head.probabilities(np.full((2, len(head.weights)), 1e6, dtype=np.float32))
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert probabilities.dtype == np.float32


def test_a_head_comes_back_as_it_was(head: Head) -> None:
    """The file holds everything, letters of any script included."""
    named = dataclasses.replace(head, classes=("Dackel", "プードル", "мопс"))
    loaded = Head.from_bytes(named.to_bytes())
    assert (loaded.name, loaded.classes) == (named.name, named.classes)
    assert np.array_equal(loaded.weights, head.weights)


def test_the_name_covers_weights_and_classes(head: Head) -> None:
    """Other classes or another bias make another head."""
    different = [dataclasses.replace(head, classes=head.classes[::-1]), dataclasses.replace(head, bias=head.bias * 2)]
    assert len({head.name, *(other.name for other in different)}) == 3


def test_a_head_without_calibration_is_as_before(head: Head) -> None:
    """A file from before there was a calibration gives the name and the answers that it always gave."""
    sink = io.BytesIO()
    np.savez(sink, classes=np.array(head.classes), weights=head.weights, bias=head.bias)
    loaded = Head.from_bytes(sink.getvalue())
    assert (loaded.temperature, loaded.threshold) == (1.0, 0.0)
    assert loaded.name == sha256_of([list(head.classes), hash_weights([head.weights, head.bias])])
    assert loaded.is_confident(0.0)


def test_the_calibration_is_part_of_the_head(head: Head) -> None:
    """Temperature and threshold come back from the file, and each changes the name."""
    calibrated = dataclasses.replace(head, temperature=1.3, threshold=0.6)
    loaded = Head.from_bytes(calibrated.to_bytes())
    assert (loaded.temperature, loaded.threshold, loaded.name) == (1.3, 0.6, calibrated.name)
    different = [dataclasses.replace(head, temperature=1.3), dataclasses.replace(head, threshold=0.6)]
    assert len({head.name, calibrated.name, *(other.name for other in different)}) == 4


def test_a_temperature_makes_answers_shy_and_keeps_them(head: Head) -> None:
    """A higher temperature lowers the largest probability, keeps its class, and leaves the logits alone."""
    features = np.random.default_rng(0).normal(size=(20, len(head.weights))).astype(np.float32)
    shy = dataclasses.replace(head, temperature=3.0)
    before, after = head.probabilities(features), shy.probabilities(features)
    assert (after.max(axis=1) < before.max(axis=1)).all()
    assert np.array_equal(after.argmax(axis=1), before.argmax(axis=1))
    assert np.array_equal(shy.logits(features), head.logits(features))


def test_a_block_of_images_ends_nowhere(head: Head) -> None:
    """However many images are asked at once, each gets the answer that it gets alone."""
    features = np.random.default_rng(0).normal(size=(2 * _BLOCK + 1, len(head.weights))).astype(np.float32)
    together = head.probabilities(features)
    for index in (0, _BLOCK - 1, _BLOCK, 2 * _BLOCK):
        assert np.array_equal(together[index : index + 1], head.probabilities(features[index : index + 1]))


@pytest.mark.parametrize("keep", [0, 10, 500, -1])
def test_a_damaged_head_gets_a_sentence(head: Head, keep: int) -> None:
    """A file that is cut short is no head."""
    with pytest.raises(PedigreeError, match="damaged"):
        Head.from_bytes(head.to_bytes()[:keep])

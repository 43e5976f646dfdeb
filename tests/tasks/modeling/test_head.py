"""A head on its own, without TensorFlow."""

import dataclasses

import numpy as np
import pytest

from configs.problems import Problem
from tasks.modeling.head import Head


def test_an_answer_does_not_depend_on_its_neighbours(head: Head) -> None:
    """A row alone, among others, and in another order has the same probabilities, bit for bit."""
    features = np.random.default_rng(0).normal(size=(50, len(head.weights))).astype(np.float32)
    together = head.probabilities(features)
    assert np.array_equal(together, np.concatenate([head.probabilities(row[None]) for row in features]))
    assert np.array_equal(together[::-1], head.probabilities(features[::-1]))
    assert np.array_equal(together[7:30], head.probabilities(features[7:30]))


def test_probabilities_add_up_to_one(head: Head) -> None:
    """Even features far away give probabilities, and no number beyond what can be written."""
    found = head.probabilities(np.full((2, len(head.weights)), 1e6, dtype=np.float32))
    assert np.allclose(found.sum(axis=1), 1)
    assert found.dtype == np.float32


def test_a_head_comes_back_as_it_was(head: Head) -> None:
    """The file holds everything, letters of any script included."""
    named = dataclasses.replace(head, classes=("Dackel", "プードル", "мопс"))
    again = Head.from_bytes(named.to_bytes())
    assert (again.name, again.classes) == (named.name, named.classes)
    assert np.array_equal(again.weights, head.weights)


def test_the_name_covers_weights_and_classes(head: Head) -> None:
    """Other classes or another bias make another head."""
    others = [dataclasses.replace(head, classes=head.classes[::-1]), dataclasses.replace(head, bias=head.bias * 2)]
    assert len({head.name, *(other.name for other in others)}) == 3


@pytest.mark.parametrize("keep", [0, 10, 500, -1])
def test_a_damaged_head_gets_a_sentence(head: Head, keep: int) -> None:
    """A file that is cut short is no head."""
    with pytest.raises(Problem, match="damaged"):
        Head.from_bytes(head.to_bytes()[:keep])

"""A head that learns from blocks is as good as one that holds all, and the order of the store changes nothing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from configs.errors import PedigreeError
from tasks.modeling.head import block_training, softmax_regression
from tasks.modeling.head.block_training import BlockExamples, train_head_from_blocks
from tasks.modeling.head.cross_fitting import FitOptions
from tasks.modeling.head.feature_file import FeatureFile, open_feature_file
from tasks.modeling.head.head import Head, Numbers, fit_scaler, fit_scaler_of_blocks
from tasks.modeling.head.training import Examples, train_head

DIGITS, LEARNED = [str(digit) for digit in range(10)], 1200
Truth = NDArray[np.int64]


class _Counted(FeatureFile):
    """A file of features that counts what is read of it."""

    reads: list[int]

    def read(self, start: int, end: int) -> Numbers:
        """Read a block, and note how long it is."""
        self.reads.append(end - start)
        return super().read(start, end)


@pytest.fixture(scope="module")
def digits() -> tuple[Numbers, Truth]:
    """Handwritten digits, 64 numbers each."""
    data, truth = load_digits(return_X_y=True)
    return data.astype(np.float32), truth.astype(np.int64)


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks so short that there are many of them, in several pools."""
    monkeypatch.setattr(block_training, "BLOCK", 100)


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take few steps, where it does not matter how good a head becomes."""
    monkeypatch.setattr(block_training, "_LEAST_STEPS", 12)


@pytest.fixture
def file(digits: tuple[Numbers, Truth], tmp_path: Path) -> Iterator[FeatureFile]:
    """Write the digits to learn from into a file."""
    with open_feature_file(tmp_path, LEARNED, 64, "float32") as file:
        file.write(np.arange(LEARNED), digits[0][:LEARNED])
        yield file


def _train(file: FeatureFile, truth: Truth, seed: int = 0) -> Head:
    groups = [f"group {index // 2}" for index in range(file.rows)]
    examples = BlockExamples(file, truth[: file.rows], groups, file.rows)
    return train_head_from_blocks(DIGITS, examples, FitOptions(balanced=True, seed=seed))[0]


@pytest.mark.usefixtures("short_blocks")
def test_it_is_as_good_as_one_that_holds_all(file: FeatureFile, digits: tuple[Numbers, Truth]) -> None:
    """On digits that it did not learn, its accuracy is that of a head fitted to its optimum, within noise."""
    features, truth = digits
    groups = [f"group {index // 2}" for index in range(LEARNED)]
    exact = train_head(
        DIGITS,
        Examples(features[:LEARNED], truth[:LEARNED].tolist(), groups, LEARNED),
        FitOptions(balanced=True),
    )[0]
    tested, right = features[LEARNED:], truth[LEARNED:]
    gap = np.subtract(*((head.logits(tested).argmax(axis=1) == right) * 1.0 for head in (exact, _train(file, truth))))
    assert abs(gap.mean()) <= max(2 * gap.std() / np.sqrt(len(gap)), 0.01)


@pytest.mark.usefixtures("short_blocks", "few_steps")
def test_neither_reading_nor_threads_change_a_bit(
    file: FeatureFile, digits: tuple[Numbers, Truth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written in another order, in other parts and learned by other numbers of threads, it has the same weights."""
    once = _train(file, digits[1])
    order = np.random.default_rng(5).permutation(LEARNED)
    monkeypatch.setattr(softmax_regression, "count_cores", lambda: 5)
    with open_feature_file(tmp_path, LEARNED, 64, "float32") as other:
        for part in np.array_split(order, 7):
            other.write(part, digits[0][part])
        assert _train(other, digits[1]).name == once.name
    assert _train(file, digits[1], seed=1).name != once.name


@pytest.mark.usefixtures("few_steps")
def test_only_blocks_are_read(
    file: FeatureFile, digits: tuple[Numbers, Truth], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pass reads every block once, and none is larger than a block."""
    monkeypatch.setattr(block_training, "BLOCK", 500)
    counted = _Counted(file.descriptor, file.rows, file.width, file.precision)
    object.__setattr__(counted, "reads", [])
    _train(counted, digits[1])
    assert set(counted.reads) == {500, 200}
    assert counted.reads.count(200) * 2 == counted.reads.count(500)


@pytest.mark.usefixtures("short_blocks", "few_steps")
def test_what_is_held_out_is_scored_by_a_head_that_did_not_learn_it(
    file: FeatureFile, digits: tuple[Numbers, Truth]
) -> None:
    """A fifth of the groups is held out, whole ones, and views of them are neither learned from nor scored."""
    groups = [f"group {index % 600 // 2}" for index in range(LEARNED)]
    truth = digits[1][np.arange(LEARNED) % 600]
    figures: list[float] = []
    _, held = train_head_from_blocks(
        DIGITS,
        BlockExamples(file, truth, groups, 600),
        FitOptions(),
        lambda _number, metrics: figures.append(metrics["l2"]),
    )
    assert len(held.truth) == len(held.groups) == len(held.logits) == 120
    assert len(set(held.groups)) == 60
    assert figures == sorted(figures, reverse=True)


def test_scaling_in_one_pass_is_scaling(digits: tuple[Numbers, Truth]) -> None:
    """Mean and deviation of blocks are those of all, also far from 0."""
    shifted = digits[0] + 10_000
    whole, blocks = fit_scaler(shifted), fit_scaler_of_blocks(np.array_split(shifted, 9))
    np.testing.assert_allclose(blocks.mean, whole.mean, rtol=1e-6)
    np.testing.assert_allclose(blocks.scale, whole.scale, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda features: features * 0 + 1, "same features"),
        (lambda features: features * np.nan, "no numbers"),
    ],
)
def test_features_that_tell_nothing_are_refused(
    file: FeatureFile, digits: tuple[Numbers, Truth], change: object, complaint: str
) -> None:
    """They get the sentences that they get in memory."""
    assert callable(change)
    file.write(np.arange(LEARNED), change(digits[0][:LEARNED]))
    with pytest.raises(PedigreeError, match=complaint):
        _train(file, digits[1])


def test_nothing_to_hold_out_is_said(file: FeatureFile) -> None:
    """Where each class is one group, no head can be scored, and the sentence says what to add."""
    truth = np.arange(LEARNED) % 2
    examples = BlockExamples(file, truth, [f"group {label}" for label in truth.tolist()], LEARNED)
    with pytest.raises(PedigreeError, match="nothing can be held out: add some"):
        train_head_from_blocks(["0", "1"], examples, FitOptions())

"""Softmax regression: the weights with the lowest penalised log loss, with the same bits on any number of cores."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from configs.cores import count_cores, single_threaded_blas
from tasks.modeling.head.head import Numbers

#: Weights of shape (width, classes) with the bias as one row more.
Theta = NDArray[np.float64]
# Images of one matrix product: sums over blocks are added in their order, so that threads cannot change a bit.
_BLOCK = 512
# L-BFGS has converged where no slope is steeper, or where a step gains less than this share of the objective. A tenth
# of either changes no third decimal of the log loss on photographs, and takes three times as long.
_SLOPE, _GAIN = 1e-4, 1e-6
_ITERATIONS = 500


class Sample(NamedTuple):
    """Weighted images to learn from.

    Attributes:
        features: Scaled features of shape (n_images, width), float32.
        truth: The index of each image's class, of shape (n_images,).
        weights: The weight of each image, of shape (n_images,).
    """

    features: Numbers
    truth: NDArray[np.int64]
    weights: NDArray[np.float64]


class LossThreads:
    """Threads that compute the loss and its slope, with the same bits however many they are."""

    def __init__(self, rows: int = _BLOCK, threads: int | None = None) -> None:
        """Start no thread yet.

        Args:
            rows: The images of one matrix product; another number gives other bits.
            threads: How many threads compute; as many as there are cores where it is None. With one, the caller's own
                does, and nothing is handed over.
        """
        self._rows, self._threads, self._limits = rows, threads or count_cores(), ExitStack()

    def __enter__(self) -> Self:
        """Start the threads, each of which computes a matrix product alone."""
        self._limits.enter_context(single_threaded_blas())
        self._pool = self._limits.enter_context(ThreadPoolExecutor(self._threads)) if self._threads > 1 else None
        return self

    def __exit__(self, *_error: object) -> None:
        """End the threads."""
        self._limits.close()

    def mean_loss(self, sample: Sample, theta: Theta, strength: float, smoothing: float) -> tuple[float, Theta]:
        """Compute the weighted mean log loss plus ``strength`` times the sum of squared weights, and its slope.

        Args:
            sample: The images.
            theta: The weights.
            strength: The weight decay.
            smoothing: The share that is taken from each label and spread over all classes.

        Returns:
            The loss, and its slope of the shape of the weights.
        """
        loss, slope, total = 0.0, np.zeros(theta.shape), float(sample.weights.sum())
        side_by_side = self._pool.map if self._pool else map
        for block_loss, block_slope in side_by_side(
            lambda block: _loss(block, theta, smoothing), _blocks(sample, self._rows)
        ):
            loss += block_loss
            slope += block_slope
        decay = strength * theta[:-1]
        slope /= total
        slope[:-1] += 2 * decay
        return loss / total + float((decay * theta[:-1]).sum()), slope


def fit_softmax(sample: Sample, strength: float, smoothing: float, start: Theta, threads: int | None = None) -> Theta:
    """Minimise the weighted mean log loss plus ``strength`` times the sum of squared weights.

    The objective is convex, so the images alone decide its minimum. L-BFGS finds it from any start (Liu and Nocedal,
    "On the limited memory BFGS method for large scale optimization", 1989).

    Args:
        sample: The images.
        strength: The weight decay; the bias is not decayed.
        smoothing: The share that is taken from each label and spread over all classes.
        start: The weights to start from; a solution for nearly the same images or strength saves most of the work.
        threads: How many threads compute; as many as there are cores where it is None. The solution has the same bits.

    Returns:
        The solution, of the shape of ``start``.
    """
    from scipy.optimize import minimize

    with LossThreads(threads=threads) as losses:

        def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            loss, slope = losses.mean_loss(sample, flat.reshape(start.shape), strength, smoothing)
            return loss, slope.ravel()

        limits = {"maxiter": _ITERATIONS, "gtol": _SLOPE, "ftol": _GAIN}
        solution = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=limits)
    return np.asarray(solution.x.reshape(start.shape))


def compute_logits(features: Numbers, theta: Theta) -> NDArray[np.float64]:
    """Compute logits.

    Args:
        features: Scaled features of shape (n_images, width).
        theta: Weights of shape (width + 1, n_classes), with the bias as the last row.

    Returns:
        Logits of shape (n_images, n_classes).
    """
    with single_threaded_blas():
        return _logits(features, theta)


def _logits(features: Numbers, theta: Theta) -> NDArray[np.float64]:
    return np.asarray((features @ theta[:-1].astype(np.float32)).astype(np.float64) + theta[-1])


def _blocks(sample: Sample, rows: int) -> Iterator[Sample]:
    for start in range(0, len(sample.truth), rows):
        end = start + rows
        yield Sample(sample.features[start:end], sample.truth[start:end], sample.weights[start:end])


def _loss(block: Sample, theta: Theta, smoothing: float) -> tuple[float, NDArray[np.float64]]:
    """Compute a block's weighted log loss and its gradient."""
    logits, images = _logits(block.features, theta), np.arange(len(block.truth))
    logits -= logits.max(axis=1, keepdims=True)
    powers = np.exp(logits)
    sums = powers.sum(axis=1, keepdims=True)
    target = np.full(logits.shape, smoothing / logits.shape[1])
    target[images, block.truth] += 1 - smoothing
    losses = np.log(sums[:, 0]) - (target * logits).sum(axis=1)
    errors = (powers / sums - target) * block.weights[:, None]
    slope = np.empty(theta.shape)
    slope[:-1], slope[-1] = block.features.T @ errors.astype(np.float32), errors.sum(axis=0)
    return float(block.weights @ losses), slope

"""Embedding: pictures through the backbone, one a call, as many calls at once as there are cores."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

import numpy as np

from configs.problems import Problem
from tasks.domain.pixels import Limits, model_input
from tasks.domain.rejections import Rejection
from tasks.modeling.backbone import Backbone, Pixels, Vector
from tasks.modeling.determinism import cores

T = TypeVar("T")
R = TypeVar("R")
# So many pictures a thread are on their way: enough to keep it busy, few enough to bound memory.
_AHEAD = 4


def embed(backbone: Backbone, images: Iterable[tuple[str, bytes]], limits: Limits) -> Iterator[tuple[str, Vector]]:
    """Yield every image's features, in order; decoding and network run in the same threads, a few images ahead."""
    network = backbone.network

    def one(image: tuple[str, bytes]) -> tuple[str, Vector]:
        return image[0], network(decode(image, backbone.size, limits))

    yield from in_parallel(one, images)


def self_test(backbone: Backbone) -> None:
    """Prove on this machine that features depend neither on neighbours nor on order; raise Problem where they do."""
    noise = np.random.default_rng(0).integers(0, 256, (4, backbone.size, backbone.size, 3), dtype=np.uint8)
    alone = [backbone.network(pixels) for pixels in noise]
    together = list(in_parallel(backbone.network, chain(noise, noise[::-1])))
    if not np.array_equal(np.stack([*alone, *alone[::-1]]), np.stack(together)):
        raise Problem("On this machine the same picture gives different features twice: train on another machine.")


def in_parallel(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the function's results in order, computed in as many threads as there are cores, a few items ahead."""
    workers, waiting = cores(), iter(items)
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[R]] = deque(pool.submit(function, item) for item in islice(waiting, workers * _AHEAD))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(function, item) for item in islice(waiting, 1))


def decode(image: tuple[str, bytes], size: int, limits: Limits) -> Pixels:
    """Turn a stored image, by its name and bytes, into model input: (size, size, 3); raise Problem if it is refused."""
    name, data = image
    pixels = model_input(data, size, limits)
    if isinstance(pixels, Rejection):
        message = f"The stored image {name} cannot be used any more: {pixels.detail}."
        raise Problem(f"{message} Undo the change of the settings under images, or restore the store's images.lance.")
    return pixels

"""Embedding: pictures through the backbone, one a call, as many calls at once as there are cores."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from configs.problems import Problem
from tasks.domain.pixels import Limits, model_input
from tasks.domain.rejections import Rejection
from tasks.modeling.backbone import Backbone
from tasks.modeling.determinism import cores

T = TypeVar("T")
R = TypeVar("R")
Vector = NDArray[np.float32]
# So many pictures a thread are on their way: enough to keep it busy, few enough to bound memory.
_AHEAD = 4


def embedder(backbone: Backbone) -> Callable[[NDArray[np.uint8]], Vector]:
    """Trace the network once, for one picture: (size, size, 3) in, (width,) out."""
    import tensorflow as tf  # noqa: PLC0415  - seconds to import, and long imported when there is a backbone

    model, shape = backbone.model, (1, backbone.size, backbone.size, 3)

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)], autograph=False)
    def call(pixels: tf.Tensor) -> tf.Tensor:
        return model(pixels, training=False)

    return lambda pixels: call(pixels[None]).numpy()[0]


def embed(backbone: Backbone, images: Iterable[tuple[str, bytes]], limits: Limits) -> Iterator[tuple[str, Vector]]:
    """Yield every image's features, in order; decoding and network run in the same threads, a few images ahead."""
    network = embedder(backbone)

    def one(image: tuple[str, bytes]) -> tuple[str, Vector]:
        return image[0], network(_decode(image, backbone.size, limits))

    yield from _in_parallel(one, images)


def self_test(backbone: Backbone) -> None:
    """Prove on this machine that features depend neither on neighbours nor on order; raise Problem where they do."""
    noise = np.random.default_rng(0).integers(0, 256, (4, backbone.size, backbone.size, 3), dtype=np.uint8)
    network = embedder(backbone)
    alone = [network(pixels) for pixels in noise]
    together = list(_in_parallel(network, chain(noise, noise[::-1])))
    if not np.array_equal(np.stack([*alone, *alone[::-1]]), np.stack(together)):
        message = "On this machine the same picture gives different features twice: do not train here, use another machine."
        raise Problem(message)


def _decode(image: tuple[str, bytes], size: int, limits: Limits) -> NDArray[np.uint8]:
    name, data = image
    pixels = model_input(data, size, limits)
    if isinstance(pixels, Rejection):
        message = f"The stored image {name} cannot be decoded any more ({pixels.detail}): the store is damaged."
        raise Problem(message)
    return pixels


def _in_parallel(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    workers, waiting = cores(), iter(items)
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[R]] = deque(pool.submit(function, item) for item in islice(waiting, workers * _AHEAD))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(function, item) for item in islice(waiting, 1))

"""How much of the bare network's rate is left of a run's embedding.

docs/explanation/decisions/models.md shows what it printed.

Interleaved, so that what else the machine does slows both alike; some minutes: python -m tests.benchmarks.embedding
"""

import io
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from configs import schema
from configs.cores import count_cores
from configs.schema import Settings
from configs.sections import Source
from tasks.domain.images.augmentation import IDENTITY
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import limits_from_settings, preprocess_image
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tasks.engine.tally import StageClock
from tasks.features.missing_features import Uncommitted, _embed, missing_views
from tasks.modeling.backbone.backbone import Backbone, random_backbone
from tasks.modeling.backbone.self_test import check_determinism
from tasks.modeling.determinism import map_in_parallel
from tasks.stores.store import Store
from tests.images import validate_image

ROUNDS, IMAGES = 5, 40
WIDTH, HEIGHT = 500, 375
Rates = NDArray[np.float64]


def fill(settings: Settings) -> list[str]:
    """Draw as many JPEG files as are needed, of the size of photographs, put them into the store, and name them."""
    limits, stored = limits_from_settings(settings.images), []
    for seed in range(ROUNDS * IMAGES):
        sink = io.BytesIO()
        drawn = draw(BREEDS[seed % len(BREEDS)], COATS[seed % len(COATS)], seed, side=WIDTH)
        drawn.crop((0, 0, WIDTH, HEIGHT)).save(sink, "JPEG", quality=90)
        examined = validate_image(sink.getvalue(), limits)
        if isinstance(examined, ImageInfo):
            stored.append((examined, sink.getvalue()))
    Store(settings.store.url).images.add(stored)
    return [examined.image for examined, _ in stored]


def pixels_of(settings: Settings, images: list[str]) -> Iterator[NDArray[np.uint8]]:
    """Decode images before the clock starts."""
    for _, data in Store(settings.store.url).images.read(images):
        pixels = preprocess_image(data, settings.backbone.size, limits_from_settings(settings.images))
        if isinstance(pixels, np.ndarray):
            yield pixels


def bare_loop(backbone: Backbone, pixels: list[NDArray[np.uint8]]) -> None:
    """Do nothing but the network, on pixels in memory."""
    for _ in map_in_parallel(backbone.network, pixels):
        pass


def end_to_end(backbone: Backbone, settings: Settings, images: list[str]) -> None:
    """Do what a run does under one lease: take it, see what is lacking, read, decode, embed, write."""
    store = Store(settings.store.url)
    features = store.features(backbone.fingerprint, backbone.width)
    limits = limits_from_settings(settings.images)
    with store.leases.hold("benchmark") as lease:
        lacking = missing_views(features, dict.fromkeys(images, (IDENTITY,)))
        clock = StageClock(lambda _done, _seconds, /: None)
        if sum(1 for _ in _embed(backbone, lacking, store, limits, Uncommitted(features, lease), clock)) != len(images):
            raise RuntimeError("some of the images had been embedded before")


def rates(work: Callable[[], object]) -> tuple[float, float]:
    """Return the images a second, and the images a second of CPU."""
    start, worked = time.perf_counter(), time.process_time()
    work()
    return IMAGES / (time.perf_counter() - start), IMAGES / (time.process_time() - worked)


def print_table(bare: Rates, with_pool: Rates) -> None:
    """Print the medians of all rounds, and of each round's ratio."""
    print(
        f"{count_cores()} threads, {ROUNDS} rounds of {IMAGES} images of {WIDTH} x {HEIGHT} in turn, "
        "mixed10 at 299 px\n"
    )
    print("| images a second | bare tf.function | end to end | ratio, median (least to most) |\n|---|---|---|---|")
    for name, bare_rates, other in zip(("by the clock", "of CPU"), bare.T, with_pool.T, strict=True):
        ratio = other / bare_rates
        spread = f"{np.median(ratio):.3f} ({ratio.min():.3f} to {ratio.max():.3f})"
        print(f"| {name} | {np.median(bare_rates):.2f} | {np.median(other):.2f} | {spread} |")


def main() -> None:
    """Print the table."""
    backbone, bare, with_pool = random_backbone("mixed10", 299), [], []
    with TemporaryDirectory() as folder:
        settings = Settings(source=Source(url="none"), store=schema.Store(url=str(Path(folder, "store"))))
        images = fill(settings)
        check_determinism(backbone)
        for start in range(0, len(images), IMAGES):
            part = images[start : start + IMAGES]
            pixels = list(pixels_of(settings, part))
            bare.append(rates(partial(bare_loop, backbone, pixels)))
            with_pool.append(rates(partial(end_to_end, backbone, settings, part)))
    print_table(np.array(bare), np.array(with_pool))


if __name__ == "__main__":
    main()

"""What a graphics card gives: images a second by batch and precision, the rate of decoding, and which bits are equal.

python -m tests.benchmarks.gpu; --cpu measures the same on the processor, on few pictures:
python -m tests.benchmarks.gpu --cpu
"""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from configs.cores import count_cores
from tasks.decoding.square_decoder import SquareDecoder
from tasks.domain.images.preprocessing import Limits
from tasks.modeling.backbone.backbone import Backbone, Pixels, Vector, random_backbone, with_batch
from tasks.modeling.backbone.batches import decode_squares
from tasks.modeling.backbone.embedding import embed_images
from tasks.modeling.backbone.self_test import check_determinism, reference_pictures
from tasks.modeling.determinism import count_cards, describe_engine, map_in_parallel
from tests.benchmarks.pictures import make_pictures

SIZE, CUT, LIMITS = 299, "mixed10", Limits(10**8, 10**8, 32)
NO_CARD = (
    "There is no graphics card that TensorFlow can use here: run this on a machine that has one, after "
    "docs/how-to/gpu.md, or add --cpu to measure the same on the processor."
)


def rate(backbone: Backbone, pictures: int) -> float:
    """Return how many squares a second pass through the network, without decoding; the first call traces it."""
    squares = np.stack(reference_pictures(SIZE))[np.arange(max(backbone.batch, 3)) % 3]
    backbone.embed_batch(squares[: backbone.batch])
    calls, started = max(1, pictures // backbone.batch), time.perf_counter()
    if backbone.batch == 1:
        list(map_in_parallel(backbone.network, (squares[number % 3] for number in range(calls))))
    else:
        for _ in range(calls):
            backbone.embed_batch(squares[: backbone.batch])
    return calls * backbone.batch / (time.perf_counter() - started)


def decode_rate(files: Sequence[bytes], pictures: int) -> float:
    """Return how many photographs a second all processes decode and hand over; starting them is not counted."""
    requests = [(str(number), files[number % len(files)], ("identity",)) for number in range(pictures)]
    with SquareDecoder(SIZE, LIMITS) as decoder:
        list(decode_squares(decoder, requests[: 4 * count_cores()], LIMITS))
        started = time.perf_counter()
        list(decode_squares(decoder, requests, LIMITS))
        return pictures / (time.perf_counter() - started)


def whole_rate(backbone: Backbone, files: Sequence[bytes], pictures: int) -> float:
    """Return how many photographs a second go from bytes to features."""
    started = time.perf_counter()
    images = ((str(number), files[number % len(files)]) for number in range(pictures))
    return sum(1 for _ in embed_images(backbone, images, LIMITS)) / (time.perf_counter() - started)


def vectors(backbone: Backbone, squares: Sequence[Pixels]) -> Iterator[Vector]:
    """Compute the features of squares, each in a call of its own."""
    return (backbone.network(square) for square in squares)


def main(*, cpu: bool) -> None:
    """Print the table, or one sentence where there is no card."""
    if not (count_cards() or cpu):
        print(NO_CARD)
        return
    pictures, batches = (24, (1, 4)) if cpu else (4096, (1, 16, 64, 256))
    with TemporaryDirectory() as folder:
        files = [path.read_bytes() for path in make_pictures(Path(folder), 16)]
    print(f"{describe_engine()}, {count_cores()} cores, InceptionV3 to {CUT} at {SIZE} px")
    print(f"decoding by {count_cores()} processes: {decode_rate(files, pictures):,.1f} photographs a second\n")
    network, squares = random_backbone(CUT, SIZE), reference_pictures(SIZE)
    exact = np.stack(list(vectors(network, squares)))
    print("| batch | computing | squares/s | from bytes/s | same bits beside others | furthest from one a call |")
    print("|---|---|---|---|---|---|")
    for computing in ("float32", "bfloat16"):
        for batch in batches:
            # Each precision has a network of its own, since it is set in the layers.
            backbone = with_batch(random_backbone(CUT, SIZE), batch, computing)
            check_determinism(backbone)
            alone = np.stack(list(vectors(backbone, squares)))
            beside = np.stack(backbone.embed_batch(np.stack(squares)[::-1][:batch]))
            equal = np.array_equal(beside, alone[::-1][:batch])
            gap = np.abs(alone - exact).max() / np.abs(exact).max()
            rates = f"{rate(backbone, pictures):,.1f} | {whole_rate(backbone, files, pictures):,.1f}"
            print(f"| {batch} | {computing} | {rates} | {'yes' if equal else 'NO'} | {gap:.1e} |", flush=True)


if __name__ == "__main__":
    main(cpu="--cpu" in sys.argv[1:])

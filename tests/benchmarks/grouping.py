"""How long it takes to group hashes: docs/explanation/near-duplicates.md shows what it printed.

Half a minute: python -m tests.benchmarks.grouping
"""

import time

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from configs.schema import Dataset
from tasks.domain.images.near_duplicates import OUTLINE, group_near_duplicates

Bits = NDArray[np.bool_]

BITS: int = Dataset.model_fields["near_duplicate_bits"].default
COUNTS = (10_000, 30_000, 100_000)
CROWD = 5000
# How often a bit differs between a photograph and its copy; one in twelve is a light crop.
COPIED = 1 / 12


def random_hashes(rng: Generator, count: int) -> Bits:
    """Draw hashes of which one in ten is a near copy of another."""
    bits = rng.random((count, 256)) < 1 / 2
    copies = rng.integers(count // 10, count, count // 10)
    bits[: count // 10] = bits[copies] ^ (rng.random((count // 10, 256)) < COPIED)
    return bits


def alike_outlines(rng: Generator, count: int) -> Bits:
    """Draw hashes whose outlines are variants of a thousand, as if a thousand scenes came back all the time."""
    bits, scenes = rng.random((count, 256)) < 1 / 2, rng.random((1000, 256)) < 1 / 2
    outlines = scenes[rng.integers(0, len(scenes), count)] ^ (rng.random((count, 256)) < COPIED)
    bits[:, OUTLINE] = outlines[:, OUTLINE]
    return bits


def crowd(rng: Generator, shared: int) -> Bits:
    """Draw hashes that agree in so many bits of their outlines and in nothing else."""
    bits = rng.random((CROWD, 256)) < 1 / 2
    bits[:, OUTLINE[:shared]] = False
    return bits


def print_row(name: str, bits: Bits) -> None:
    """Group the hashes, and print how long that took and what came out."""
    hashes = {f"{number:06}": row.tobytes() for number, row in enumerate(np.packbits(bits, axis=1))}
    start, worked = time.perf_counter(), time.process_time()
    groups = group_near_duplicates(hashes, BITS)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    sizes = np.unique(list(groups.values()), return_counts=True)[1]
    print(f"| {name} | {len(hashes):,} | {seconds:.1f} | {worked:.1f} | {len(sizes):,} | {sizes.max():,} |", flush=True)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    print("| hashes | how many | seconds | of CPU | groups | biggest |\n|---|---|---|---|---|---|")
    for count in COUNTS:
        print_row("random, one in ten a near copy", random_hashes(rng, count))
    for count in COUNTS:
        print_row("outlines of 1,000 scenes", alike_outlines(rng, count))
    print_row("one outline, the rest random", crowd(rng, 36))
    print_row("24 of 36 bits of the outline shared", crowd(rng, 24))
    print_row("all alike: one bit in ten differs", rng.random((CROWD, 256)) < 1 / 10)


if __name__ == "__main__":
    main()

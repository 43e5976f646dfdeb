"""Measure the bars of the service; each compares things in turns, so that a machine's mood is in both.

    python -m tests.benchmarks.serving [BAR ...] [--whole] [--engine tensorflow|onnxruntime] [--rounds 3]
                                       [--requests 200] [--minutes 5]

Without names all bars are measured, in this order; a quarter of an hour with the demo's network, half an hour with the
whole one.
"""

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.serving import bars, hostile, why
from tests.benchmarks.serving.servers import fill_store, service


def main() -> None:
    """Print a line that begins with BAR for each bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measures = _measures(0)
    parser.add_argument("bars", nargs="*", choices=[[], *measures])
    parser.add_argument("--whole", action="store_true", help="the whole network at 299 px, and not the demo's at 96")
    parser.add_argument("--engine", default="tensorflow")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=5, help="how long good and hostile requests are mixed")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        store = fill_store(Path(folder) / "store", given.engine, whole=given.whole)
        with service(store, Path(folder) / "home") as served:
            run = bars.Run(store, served, Path(folder), given.requests, given.rounds)
            run.warm_up()
            for name in given.bars or measures:
                _measures(given.minutes)[name](run)


def _measures(minutes: float) -> Mapping[str, Callable[[bars.Run], None]]:
    """Return what measures each bar, by name; the last one ends the service."""
    return {
        "throughput": bars.measure_throughput,
        "mlflow": bars.compare_with_mlflow,
        "why": why.measure_why,
        "overload": bars.overload,
        "heads": bars.swap_heads,
        "backbones": bars.load_another_backbone,
        "neighbours": hostile.slow_neighbours,
        "memory": partial(hostile.watch_memory, minutes=minutes),
        "stop": bars.stop_under_load,
    }


if __name__ == "__main__":
    main()

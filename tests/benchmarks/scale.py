"""What long work costs on more workers: measured on this machine, and simulated for what this machine cannot hold.

``python -m tests.benchmarks.scale measure`` embeds photographs at 299 px in turns: this process with two threads, one
worker, two workers, each of one thread. ``python -m tests.benchmarks.scale simulate`` prints a table of nights.
"""

import io
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from configs.sections import Scale
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import Limits
from tasks.domain.pace import describe_duration
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tasks.engine.dask_engine import DaskEngine, connected_engine
from tasks.engine.engine import Engine, LocalEngine
from tasks.features.embedding_task import EmbeddingTask, _parts
from tasks.features.stored_models import keep_backbone
from tasks.stores.store import Store
from tests.images import validate_image

IMAGES, ROUNDS = 24, 3
LIMITS = Limits(50 * 10**6, 10**8, 32)


def measure(backbone_engine: str) -> None:
    """Embed the same photographs by each engine in turns, and print images a second; starting is not counted."""
    with TemporaryDirectory() as folder:
        fingerprint, images = _fill(Store(folder), backbone_engine)
        rows = dict(zip(images, Store(folder).images.row_numbers(images), strict=True))
        task = EmbeddingTask(folder, fingerprint, LIMITS, None)
        engines: dict[str, Engine] = {
            f"dask, {workers} worker{'s' * (workers > 1)}": connected_engine(
                Scale(engine="dask", workers=workers, batch=5), print
            )
            for workers in (1, 2)
        }
        engines["local, 2 threads"] = LocalEngine(10)
        rates: dict[str, list[float]] = {name: [] for name in engines}
        cpu: dict[str, list[float]] = {name: [] for name in engines}
        for number in range(ROUNDS + 1):
            for name, engine in engines.items():
                requests = iter([(image, rows[image], ("identity",)) for image in images])
                parts = _parts(requests, 4 if engine.remote else len(images))
                started, worked = time.perf_counter(), cpu_seconds(engine)
                done = sum(answer.images for _, answer in engine.map(task, parts, lambda _report: None))
                # The first round loads and builds what the others use.
                if number:
                    rates[name].append(done / (time.perf_counter() - started))
                    cpu[name].append(1000 * (cpu_seconds(engine) - worked) / done)
        for name, measured in rates.items():
            spent = f"{statistics.median(cpu[name]):.0f} ms of CPU an image"
            rounds = " ".join(f"{rate:.2f}" for rate in measured)
            print(f"{name:18} {statistics.median(measured):6.2f} images a second ({rounds}), {spent}")
        two, one = (statistics.median(rates[f"dask, {word}"]) for word in ("2 workers", "1 worker"))
        print(f"2 workers against 1: {two / one:.2f} times (bar: 1.7)")
        print(f"dask against local: {two / statistics.median(rates['local, 2 threads']):.2f} times (bar: 0.9)")
        print(f"load of the machine: {os.getloadavg()[0]:.1f}")


def cpu_seconds(engine: Engine) -> float:
    """Return the seconds of CPU that an engine's processes have used: the workers', and this one's."""
    workers = engine.client.run(time.process_time).values() if isinstance(engine, DaskEngine) else ()
    return time.process_time() + sum(workers)


def _fill(store: Store, engine: str) -> tuple[str, list[str]]:
    """Write photographs and InceptionV3 into a store, in a process of its own: TensorFlow forks badly."""
    code = "import sys; from tests.benchmarks.scale import fill; print(fill(sys.argv[1], sys.argv[2]))"
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", code, store.url, engine], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[-1], sorted(store.images.stored())


def fill(url: str, engine: str) -> str:
    """Write photographs and a backbone into a store, and return the backbone's fingerprint."""
    from tasks.modeling.backbone.backbone import random_backbone, with_engine

    store, network = Store(url), random_backbone("mixed10", 299)
    pairs = [(validate_image(data, LIMITS), data) for data in map(_photograph, range(IMAGES))]
    store.images.add([(info, data) for info, data in pairs if isinstance(info, ImageInfo)])
    backbone = with_engine(network, engine)
    keep_backbone(store, backbone, network.to_bytes())
    return backbone.fingerprint


def _photograph(seed: int) -> bytes:
    """Draw a dog of the size of a common photograph."""
    sink = io.BytesIO()
    draw(BREEDS[seed % len(BREEDS)], COATS[seed % len(COATS)], seed, side=500).save(sink, "JPEG")
    return sink.getvalue()


@dataclass(frozen=True)
class Night:
    """Assumptions about one size, all of them seconds of one core unless said otherwise.

    Attributes:
        known: Photographs that the store has.
        cores: Cores of all workers together.
    """

    known: int
    cores: int

    # A photograph embedded at 299 px, with ONNX Runtime: 9.4 a second and core.
    embed = 1 / 9.4
    # A photograph fetched, decoded for the store and hashed.
    ingest = 0.02
    # Listing a key by the native client, and looking through what is known for a night with something new.
    list_key, known_row = 3.2e-6, 45e-6
    # Bytes of a photograph, and of its features in float16.
    photograph, features = 110_000, 4_200
    # Bytes a second of one core's share of the network.
    network = 30_000_000

    def cold(self) -> float:
        """Seconds of the first night: all that can be divided by cores, and what one process does alone."""
        work = self.known * max(self.embed + self.ingest, 2 * self.photograph / self.network)
        return work / self.cores + self.alone()

    def alone(self) -> float:
        """Seconds of the process that lists, joins, labels, splits and commits, whatever workers there are."""
        return self.known * (self.list_key + self.known_row)

    def more(self, share: float) -> float:
        """Seconds of a night in which this share of the photographs is new."""
        return self.known * share * (self.embed + self.ingest) / self.cores + self.alone()

    def unchanged(self) -> float:
        """Seconds of a night with nothing new: the listing, and the memo of the last one."""
        return self.known * self.list_key + 2


def simulate() -> None:
    """Print what each size takes, from the assumptions of ``Night``."""
    print("| photographs | cores | first night | 1% new | nothing new | store | features |")
    print("|---|---|---|---|---|---|---|")
    for known, cores in ((10**5, 8), (10**6, 32), (10**7, 256), (10**8, 2048)):
        night = Night(known, cores)
        durations = (describe_duration(seconds) for seconds in (night.cold(), night.more(0.01), night.unchanged()))
        size = f"{known * night.photograph / 1e12:.2f} TB"
        print(f"| {known:,} | {cores:,} | {' | '.join(durations)} | {size} | {known * night.features / 1e9:,.1f} GB |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["simulate"]:
        simulate()
    else:
        measure(sys.argv[2] if len(sys.argv) > 2 else "onnxruntime")

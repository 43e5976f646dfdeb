"""The service in turns with the bare work: throughput, one request alone, CPU an answer, overload, and swaps of heads.

Five minutes on two cores, or twenty with the whole network:

    python -m tests.benchmarks.serving [--whole] [--engine tensorflow|onnxruntime] [--rounds 2] [--requests 200]
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import psutil

from configs.cores import count_cores
from tasks.domain.images.preprocessing import preprocess_image
from tasks.domain.images.rejections import Rejection
from tasks.modeling.backbone.backbone import random_backbone, with_engine
from tests.servers import ROOT, answers, wait_until
from tests.tasks.service.champions import LIMITS, ChampionStore, dogs

PICTURES, SIDE = 32, 256
CLIENTS = 8
# How many times the capacity comes in, and for how many seconds.
OVERLOAD, OVERLOAD_SECONDS = 3, 20
HEADERS = {"Content-Type": "image/png"}


@dataclass(frozen=True)
class Load:
    """What clients saw: seconds of each answer, seconds of each refusal, and how long all of it took."""

    answered: Sequence[float]
    refused: Sequence[float]
    seconds: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answered) / self.seconds


def share(times: Sequence[float], part: float) -> float:
    """Return the milliseconds that so large a part of the times does not exceed."""
    return 1000 * sorted(times)[int(part * (len(times) - 1))] if times else float("nan")


def main() -> None:
    """Print figures of the bare work and of the service, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--engine", default="tensorflow")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--requests", type=int, default=200)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        backbone = random_backbone(*(("mixed10", 299) if given.whole else ("mixed2", 96)))
        store = ChampionStore(f"{folder}/store", with_engine(backbone, given.engine), dogs(PICTURES, SIDE)).fill()
        store.promote(store.head(1))
        with service(store.url, Path(folder) / "home") as (address, process):
            rates = [_turn(store, address, process, given.requests) for _ in range(given.rounds)]
            asyncio.run(_swaps(store, address, given.requests))
            asyncio.run(_overload(address, store.files, sum(rates) / len(rates)))


@contextmanager
def service(store: str, home: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Run the service of a store, and say how much it took to be ready."""
    command = [sys.executable, "-c", "from flows.cli.app import main; main()"]
    command += ["serve", "--store", store, "--port", "0", "--json"]
    with subprocess.Popen(  # noqa: S603 - this very Python
        command,
        cwd=ROOT,
        env={**os.environ, "PEDIGREE_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        started, address = time.monotonic(), json.loads(process.stdout.readline())["address"]
        wait_until(lambda: answers(f"{address}/ready"), 300, "a model", pause=0.02)
        tree = psutil.Process(process.pid)
        memory = tree.memory_info().rss / 2**20
        print(f"ready: {time.monotonic() - started:.1f} s, {processor_seconds(tree):.2f} s of CPU, {memory:.0f} MB")
        try:
            yield address, tree
        finally:
            process.terminate()


def processor_seconds(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and of all that it started and that still runs."""
    total = 0.0
    for part in [process, *process.children(recursive=True)]:
        with suppress(psutil.Error):
            times = part.cpu_times()
            total += times.user + times.system
    return total


def _turn(store: ChampionStore, address: str, process: psutil.Process, requests: int) -> float:
    """Measure the bare work and the service, alone and crowded; return what the service answers a second."""
    alone, crowded = _bare(store, requests, 1), _bare(store, requests, count_cores())
    lines = {"bare, one after the other": alone, f"bare, {count_cores()} threads": crowded}
    loads = []
    for clients in (1, CLIENTS):
        before = processor_seconds(process)
        load = asyncio.run(_ask(address, store.files, clients, requests))
        lines[f"service, {clients} clients"] = (load, processor_seconds(process) - before)
        loads.append(load)
    for name, (load, processor) in lines.items():
        figures = f"{load.rate:8.1f} a second, {1000 * processor / requests:7.2f} ms of CPU"
        print(f"{name:28}{figures}, p50 {share(load.answered, 0.5):7.1f} ms, p95 {share(load.answered, 0.95):7.1f} ms")
    ratios = loads[1].rate / crowded[0].rate, share(loads[0].answered, 0.5) / share(alone[0].answered, 0.5)
    print(f"throughput {ratios[0]:.2f} of bare, one alone {ratios[1]:.2f} times bare")
    return loads[1].rate


def _bare(store: ChampionStore, requests: int, threads: int) -> tuple[Load, float]:
    """Decode and compute in this process, as training's own functions do."""

    def work(number: int) -> float:
        started = time.perf_counter()
        square = preprocess_image(store.files[number % PICTURES], store.backbone.size, LIMITS)
        assert not isinstance(square, Rejection)
        store.backbone.network(square)
        return time.perf_counter() - started

    work(0)
    started, processor = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        times = list(pool.map(work, range(requests)))
    return Load(times, (), time.perf_counter() - started), time.process_time() - processor


async def _ask(address: str, files: Sequence[bytes], clients: int, requests: int) -> Load:
    """Let clients ask one after the other, each as soon as it has its answer."""
    times: list[float] = []
    numbers = iter(range(requests))
    started = time.perf_counter()
    async with aiohttp.ClientSession(address) as session:

        async def ask_on() -> None:
            for number in numbers:
                status, seconds = await _one(session, files[number % len(files)])
                assert status == 200, status
                times.append(seconds)

        await asyncio.gather(*[ask_on() for _ in range(clients)])
    return Load(times, (), time.perf_counter() - started)


async def _one(session: aiohttp.ClientSession, data: bytes) -> tuple[int, float]:
    started = time.perf_counter()
    async with session.post("/v1/predict", data=data, headers=HEADERS) as response:
        await response.read()
        return response.status, time.perf_counter() - started


async def _swaps(store: ChampionStore, address: str, requests: int) -> None:
    """Compare the times of answers with and without promotions of other heads meanwhile."""
    calm = await _ask(address, store.files, 4, requests)

    async def promote() -> None:
        for seed in range(2, 12):
            await asyncio.to_thread(store.promote, store.head(seed))
            await asyncio.sleep(calm.seconds / 10)

    busy, _ = await asyncio.gather(_ask(address, store.files, 4, requests), promote())
    ratio = share(busy.answered, 0.95) / share(calm.answered, 0.95)
    print(f"swaps of heads: p95 {ratio:.2f} times that without, none refused")


async def _overload(address: str, files: Sequence[bytes], rate: float) -> None:
    """Send requests at several times the capacity, whatever comes back."""
    refused: list[float] = []
    answered: list[float] = []

    async def ask(session: aiohttp.ClientSession, data: bytes) -> None:
        status, seconds = await _one(session, data)
        (answered if status == 200 else refused).append(seconds)

    started = time.perf_counter()
    async with (
        aiohttp.ClientSession(address, connector=aiohttp.TCPConnector(limit=0)) as session,
        asyncio.TaskGroup() as tasks,
    ):
        for number in range(int(OVERLOAD * rate * OVERLOAD_SECONDS)):
            tasks.create_task(ask(session, files[number % len(files)]))
            await asyncio.sleep(max(0.0, started + number / (OVERLOAD * rate) - time.perf_counter()))
    load = Load(answered, refused, time.perf_counter() - started)
    print(
        f"{OVERLOAD} times the capacity: {load.rate / rate:.2f} of it answered, {len(refused):,} refused, "
        f"p95 of refusals {share(refused, 0.95):.1f} ms, p95 of answers {share(answered, 0.95):.1f} ms"
    )


if __name__ == "__main__":
    main()

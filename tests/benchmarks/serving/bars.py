"""The bars of a service that runs: throughput, CPU, overload and swaps."""

import base64
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from threading import Event, Thread, Timer

from tasks.modeling.backbone.backbone import random_backbone, with_engine
from tests.benchmarks.serving.load import Load, ask, flood, share, write_request
from tests.benchmarks.serving.servers import Bare, Served, mlflow_server
from tests.servers import answers
from tests.tasks.service.champions import ChampionStore

CLIENTS = 8
# How many times the capacity comes in, and for how many seconds.
_OVERLOAD, _OVERLOAD_SECONDS = 3, 60
_HEADS = 10
_ENDLESS = 10**9
# Seconds of load before SIGTERM, and until what explains answers is read.
_CALM = 3.0


@dataclass(frozen=True)
class Run:
    """What bars are measured with: a store, its service, how many requests a turn has, and how many turns there are."""

    store: ChampionStore
    served: Served
    folder: Path
    number: int
    rounds: int

    @property
    def requests(self) -> list[bytes]:
        """A request for each photograph."""
        return [write_request(data) for data in self.store.files]

    def warm_up(self) -> None:
        """Answer each photograph twice, and let the service read meanwhile what explains its answers."""
        ask(self.served.address, self.requests, CLIENTS, 2 * len(self.store.files))
        time.sleep(_CALM)


def measure_throughput(run: Run) -> None:
    """Compare answers a second, and one request alone, with the bare work.

    The generator runs on the same cores. So the second ratio divides by what the bare work would do if its cores had to
    do the generator's work too: a photograph's CPU of both.
    """
    bare = Bare(run.store)
    ratios: list[tuple[float, float, float, float]] = []
    for _ in range(run.rounds):
        crowded, processor = bare.measure(run.number)
        _tell("bare, a thread a core", crowded, processor / run.number)
        alone, _ = bare.measure(run.number, threads=1)
        _tell("bare, one after the other", alone)
        many, answer, client_seconds = _watched(run, CLIENTS)
        _tell(f"service, {CLIENTS} clients", many, answer)
        single, _, _ = _watched(run, 1)
        _tell("service, 1 client", single)
        fair = crowded.rate * (processor / run.number) / (processor / run.number + client_seconds)
        processors = answer / (processor / run.number)
        ratios.append(
            (
                many.rate / crowded.rate,
                many.rate / fair,
                share(single.answered, 0.5) / share(alone.answered, 0.5),
                processors,
            )
        )
        print(f"the generator: {1000 * client_seconds:.2f} ms of CPU a request")
    bare.close()
    plain, fair, single_ratio, processors = (median(column) for column in zip(*ratios, strict=True))
    print(
        f"BAR throughput: {plain:.2f} of bare, {fair:.2f} with the generator on both sides (at least 0.9 whole, "
        f"0.7 demo); one alone {single_ratio:.2f} times bare (at most 1.15); CPU {processors:.2f} times bare"
    )


def _watched(run: Run, clients: int) -> tuple[Load, float, float]:
    """Return a load, the CPU seconds of an answer, and the generator's of a request."""
    before, own = run.served.processor_seconds(), time.process_time()
    load = ask(run.served.address, run.requests, clients, run.number)
    after = run.served.processor_seconds()
    assert len(load.answered) == run.number, load
    return load, (after - before) / run.number, (time.process_time() - own) / run.number


def _tell(name: str, load: Load, processor: float = float("nan")) -> None:
    print(
        f"{name:28}{load.rate:8.1f} a second, {1000 * processor:7.2f} ms of CPU, "
        f"p50 {share(load.answered, 0.5):7.1f} ms, p95 {share(load.answered, 0.95):7.1f} ms"
    )


def compare_with_mlflow(run: Run) -> None:
    """Compare the CPU of an answer with that of ``mlflow models serve`` on the same model."""
    bodies = [json.dumps({"inputs": [{"image": base64.b64encode(data).decode()}]}).encode() for data in run.store.files]
    requests = [write_request(body, "application/json", "/invocations") for body in bodies]
    ratios: list[float] = []
    with mlflow_server(run.store, run.folder) as other:
        ask(other.address, requests, 1, len(requests))
        for _ in range(run.rounds):
            _, client_seconds, _ = _watched(run, CLIENTS)
            before = other.processor_seconds()
            load = ask(other.address, requests, CLIENTS, run.number)
            mlflow_seconds = (other.processor_seconds() - before) / run.number
            assert len(load.answered) == run.number, load
            _tell("MLflow's server, 8 clients", load, mlflow_seconds)
            ratios.append(client_seconds / mlflow_seconds)
    print(f"BAR CPU an answer: {median(ratios):.2f} of mlflow models serve's (at most 0.75)")


def overload(run: Run) -> None:
    """Send several times the capacity, and see what is answered, and how soon the rest is refused."""
    capacity = ask(run.served.address, run.requests, CLIENTS, run.number).rate
    load = flood(run.served.address, run.requests, _OVERLOAD * capacity, _OVERLOAD_SECONDS)
    print(
        f"BAR {_OVERLOAD} times the capacity: {load.rate / capacity:.2f} of it answered (at least 0.9), "
        f"{len(load.refused):,} refused, p95 {share(load.refused, 0.95):.1f} ms (at most 50), p99 "
        f"{share(load.refused, 0.99):.1f} ms; answers p95 {share(load.answered, 0.95):.0f} ms; {load.lost} lost"
    )


def swap_heads(run: Run) -> None:
    """Compare the times of answers with and without promotions of other heads meanwhile, in turns."""
    ratios: list[float] = []
    for turn in range(run.rounds):
        calm = ask(run.served.address, run.requests, 4, run.number)
        seeds = range(2 + turn * _HEADS, 2 + (turn + 1) * _HEADS)
        thread = Thread(target=_promote, args=(run.store, seeds, calm.seconds / _HEADS))
        thread.start()
        busy = ask(run.served.address, run.requests, 4, run.number)
        thread.join()
        assert not busy.refused, busy.refused
        assert not busy.lost, busy.lost
        ratios.append(share(busy.answered, 0.95) / share(calm.answered, 0.95))
    print(f"BAR swaps of heads: p95 {median(ratios):.2f} times that without (at most 1.2), none refused")


def _promote(store: ChampionStore, seeds: range, pause: float) -> None:
    for seed in seeds:
        store.promote(store.head(seed))
        time.sleep(pause)


def load_another_backbone(run: Run) -> None:
    """Compare the times of answers while another network is loaded beside the one that serves."""
    name = "onnxruntime" if "graph" in run.store.backbone.facts else "tensorflow"
    cut = "mixed9" if run.store.backbone.cut == "mixed10" else "mixed1"
    other = replace(run.store, backbone=with_engine(random_backbone(cut, run.store.backbone.size), name))
    other.embed()
    ratios: list[float] = []
    for turn in range(run.rounds):
        calm = ask(run.served.address, run.requests, 4, run.number)
        decision = (other, run.store)[turn % 2].promote(run.store.head(1) if turn % 2 else other.head(1), "other")
        with holding(partial(_waits_for, run.served, decision.number)) as loads:
            busy = ask(run.served.address, run.requests, 4, _ENDLESS, loads)
        assert not busy.refused, busy.refused
        ratios.append(share(busy.answered, 0.95) / share(calm.answered, 0.95))
        print(f"another network after {busy.seconds:.1f} s, p95 {ratios[-1]:.2f} times that before")
    print(f"BAR while another backbone loads: p95 {median(ratios):.2f} times that without (at most 2)")


def _waits_for(served: Served, decision: int) -> bool:
    with urllib.request.urlopen(f"{served.address}/version", timeout=60) as response:  # noqa: S310 - our own service
        return bool(json.load(response)["model"]["decision"] != decision)


@contextmanager
def holding(ask_again: Callable[[], bool], pause: float = 0.1) -> Iterator[Callable[[], bool]]:
    """Ask in a thread of its own until something holds no more, and return what tells whether it held last."""
    ended = Event()

    def watch() -> None:
        while not ended.is_set() and ask_again():
            ended.wait(pause)
        ended.set()

    thread = Thread(target=watch)
    thread.start()
    try:
        yield lambda: not ended.is_set()
    finally:
        ended.set()
        thread.join()


def stop_under_load(run: Run) -> None:
    """Send SIGTERM while clients ask that obey ``/ready``, as a load balancer does."""
    thread = Timer(_CALM, run.served.process.terminate)
    thread.start()
    with holding(partial(answers, f"{run.served.address}/ready")) as ready:
        load = ask(run.served.address, run.requests, CLIENTS, _ENDLESS, ready)
    thread.join()
    run.served.process.wait(60)
    print(
        f"BAR SIGTERM under load: {len(load.answered):,} answered, {load.lost} lost and {len(load.refused)} refused "
        "(none of either)"
    )

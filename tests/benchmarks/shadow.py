"""What a challenger in the shadow costs an answer: on the champion's backbone, and with a network of its own.

A minute on two cores, or five with the whole network:

    python -m tests.benchmarks.shadow [--whole] [--answers 100]
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from tempfile import TemporaryDirectory
from threading import Event

import numpy as np
import psutil

from configs.servers import Serve
from tasks.domain.images.rejections import Rejection
from tasks.modeling.backbone.backbone import random_backbone
from tasks.modeling.head.head import Head
from tasks.modeling.packaged_model import predict_features
from tasks.service.models.served_model import Observation, ServedModel
from tasks.service.models.store_models import StoreModels
from tasks.service.server import Service, open_service
from tests.tasks.service.champions import ChampionStore, dogs

CLASSES, PICTURES, SIDE = 120, 8, 500
# Seconds between two answers of the calm service whose answers are timed.
PAUSE = 0.5
CALM = 0.2


def main() -> None:
    """Print CPU and wall time of answers with and without a challenger in the shadow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--answers", type=int, default=100)
    given = parser.parse_args()
    cut, size = ("mixed10", 299) if given.whole else ("mixed2", 96)
    with TemporaryDirectory() as folder:
        os.environ["PEDIGREE_HOME"] = f"{folder}/home"
        store = ChampionStore(f"{folder}/store", random_backbone(cut, size), dogs(PICTURES, SIDE)).fill()
        store.promote(_head(store, 1))
        service = _open(store)
        for head in (replace(_head(store, 1), temperature=2.0), _head(store, 2)):
            store.let_wait(head)
            _shared(service, store, given.answers)
        other = replace(store, backbone=random_backbone("mixed9" if given.whole else "mixed1", size))
        other.embed()
        other.let_wait(_head(other, 3))
        _apart(service, store, given.answers)


def _head(store: ChampionStore, seed: int) -> Head:
    chance = np.random.default_rng(seed)
    weights = chance.normal(scale=0.2, size=(store.backbone.width, CLASSES)).astype(np.float32)
    names = tuple(f"class {number:03}" for number in range(CLASSES))
    return Head(names, weights, np.zeros(CLASSES, np.float32), 1.5, 0.5)


def _open(store: ChampionStore) -> Service:
    """Open a service that looks when it is told to, and listens for nobody."""
    service = open_service(StoreModels(store.store, "dogs"), Serve(port=0, shadow_share=1))
    service.listener.close()
    _look(service)
    return service


def _look(service: Service) -> ServedModel:
    service.state.follower.look()
    service.state.shadow.look()
    model = service.state.follower.model
    assert model
    return model


def _answer(model: ServedModel, data: bytes) -> Observation:
    square = model.squares.decode(data)
    assert not isinstance(square, Rejection)
    features = model.backbone.network(square)
    return Observation(model, data, square, features, predict_features(model.head, features), None)


def _shared(service: Service, store: ChampionStore, answers: int) -> None:
    """Measure what comparing costs, on features that are there, against the answer itself."""
    model = _look(service)
    observations = [_answer(model, data) for data in store.files]
    whole = _processor(lambda number: _answer(model, store.files[number % PICTURES]), answers, everything=True)
    compare = _processor(lambda number: service.state.shadow.observe(observations[number % PICTURES]), 20 * answers)
    agree, differ, _ = service.state.shadow.counts()
    print(f"one backbone: an answer {1000 * whole:.2f} ms of CPU, comparing {1000 * compare:.4f} ms more")
    print(f"that is {compare / whole:.3%}, with {differ / (agree + differ):.0%} of answers different")


def _processor(work: Callable[[int], object], times: int, *, everything: bool = False) -> float:
    """Return the CPU seconds of one call, with those of decoding processes where everything counts."""
    clock = _all_seconds if everything else time.process_time
    work(0)
    started = clock()
    for number in range(times):
        work(number)
    return (clock() - started) / times


def _all_seconds() -> float:
    process = psutil.Process()
    times = [part.cpu_times() for part in (process, *process.children(recursive=True))]
    return sum(part.user + part.system for part in times)


def _apart(service: Service, store: ChampionStore, answers: int) -> None:
    """Measure memory and answers while a second network works in idle moments, against the same without."""
    process = psutil.Process()
    before = process.memory_info().rss / 2**20
    shadow, busy, ended = service.state.shadow, Event(), [0.0]
    # As what answers says it, past which this benchmark goes.
    shadow.is_idle = lambda: not busy.is_set() and time.monotonic() - ended[0] >= CALM
    model = _look(service)
    print(f"own network: {process.memory_info().rss / 2**20 - before:.0f} MB more than {before:.0f}")
    for name, observe in (("without", None), ("with", shadow.observe), ("without", None), ("with", shadow.observe)):
        times = []
        for number in range(answers // 4):
            time.sleep(PAUSE if number % 2 else 0)
            busy.set()
            started = time.perf_counter()
            observation = _answer(model, store.files[number % PICTURES])
            times.append(time.perf_counter() - started)
            ended[0] = time.monotonic()
            busy.clear()
            if observe:
                observe(observation)
        p50, p95 = np.percentile(times, [50, 95])
        print(f"{name:8} p50 {1000 * p50:.1f} ms, p95 {1000 * p95:.1f} ms; compared {sum(shadow.counts()[:2])}")
    service.state.shadow.stop()


if __name__ == "__main__":
    main()

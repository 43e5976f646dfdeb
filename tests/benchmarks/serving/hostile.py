"""Hostile requests beside good ones: how much slower these get, and whether memory grows."""

import random
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from itertools import cycle
from statistics import mean
from threading import Event, Thread
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from tests.benchmarks.serving.bars import Run
from tests.benchmarks.serving.load import Client, Load, ask, share, write_request

# Seconds between two looks at the memory, and the first minutes in which libraries still ask for theirs.
_LOOK, _BEGINNING = 10.0, 0.25
_PAUSE = 0.1


def slow_neighbours(run: Run) -> None:
    """Compare the times of good requests alone with those beside hostile ones, for each kind of these and for all."""
    worst = 0.0
    for name, request in [*hostile_requests().items(), ("all of them", None)]:
        alone = ask(run.served.address, run.requests, 1, run.number)
        with _Hostile(run, [request] if request else list(hostile_requests().values())):
            beside = ask(run.served.address, run.requests, 1, run.number)
        ratio = share(beside.answered, 0.5) / share(alone.answered, 0.5)
        worst = max(worst, ratio)
        print(f"beside {name:24}{ratio:6.2f} times as long, {len(beside.refused)} of {run.number} refused")
    print(f"BAR a good request beside hostile ones: at worst {worst:.2f} times as slow (at most 2)")


def watch_memory(run: Run, minutes: float) -> None:
    """Mix good and hostile requests, and fit a line to the memory after the first quarter."""
    until, looks = time.monotonic() + 60 * minutes, list[tuple[float, float]]()
    with _Hostile(run, list(hostile_requests().values())):
        thread = Thread(target=_ask_until, args=(run, until))
        thread.start()
        while (now := time.monotonic()) < until:
            looks.append((now / 3600, run.served.megabytes()))
            time.sleep(min(_LOOK, max(0.1, until - now)))
        thread.join()
    later = looks[int(_BEGINNING * len(looks)) :]
    hours, sizes = np.array(later).T
    (slope, base), covariance = np.polyfit(hours - hours.mean(), sizes, 1, cov=True)
    print(
        f"BAR memory over {minutes:g} minutes of good and hostile requests: {base:.0f} MB on average, "
        f"{slope:+.1f} MB an hour (standard error {covariance[0, 0] ** 0.5:.1f}), from {mean(sizes[:5]):.0f} to "
        f"{mean(sizes[-5:]):.0f} MB"
    )


def _ask_until(run: Run, until: float) -> Load:
    return ask(run.served.address, run.requests, 2, 10**9, lambda: time.monotonic() < until)


class _Hostile:
    """One client that sends hostile requests for as long as it is entered, a tenth of a second after the last is over.

    Without that pause it would be a second good client, whose requests are refused and so come more often.
    """

    def __init__(self, run: Run, requests: Sequence[bytes]) -> None:
        self._address, self._requests, self._ended = run.served.address, requests, Event()
        self._thread = Thread(target=self._send)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _send(self) -> None:
        client = Client(self._address)
        for request in cycle(self._requests):
            if self._ended.is_set():
                break
            with suppress(OSError):
                _send_partly(self._address, request) if random.random() < 0.1 else client.send(request)  # noqa: S311
            self._ended.wait(_PAUSE)
        client.close()


def _send_partly(address: str, request: bytes) -> None:
    """Send half of a request, and go away."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        connection.sendall(request[: len(request) // 2])


def hostile_requests() -> dict[str, bytes]:
    """Return requests that mean no good, by what they are."""
    chance = random.Random(0)  # noqa: S311 - no secret
    frames = [Image.new("RGB", (800, 800), (level, level, level)) for level in range(0, 200, 10)]
    bodies = {
        "empty bodies": b"",
        "text": b"no picture " * 1000,
        "noise": chance.randbytes(500_000),
        "bombs": _save(Image.new("1", (20_000, 20_000)), "PNG"),
        "pictures of 29 megapixels": _save(Image.new("L", (5400, 5400), 90), "PNG"),
        "animations": _save(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "JPEGs of 3,000 scans": _many_scans(3000),
        "bodies of 50 MB": bytes(50 * 2**20),
    }
    requests = {name: write_request(body) for name, body in bodies.items()}
    return {**requests, "200 photographs at once": _form(200)}


def _save(picture: Image.Image, kind: str, **options: object) -> bytes:
    sink = BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()


def _many_scans(times: int) -> bytes:
    """Write a JPEG whose last scan is repeated, each time a pass over all of the picture."""
    data = _save(Image.new("L", (1000, 1000), 127), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * times + data[-2:]


def _form(files: int) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n' + _save(
        Image.new("RGB", (64, 64)), "PNG"
    )
    return write_request(b"\r\n".join([part] * files) + b"\r\n--x--\r\n", "multipart/form-data; boundary=x")

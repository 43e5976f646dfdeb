"""Drift in the service: a day's pictures are compared with the test images, and what changed is told."""

import io

import httpx
import numpy as np
from PIL import Image

from tasks.service.server import Service
from tests.servers import wait_until
from tests.tasks.service.champions import ChampionStore, ask, dogs, ready, serving

_DAY = 24


def _dark(data: bytes) -> bytes:
    """Return a picture with a third of its light."""
    sink = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").point(lambda level: level // 3).save(sink, "PNG")
    return sink.getvalue()


def _live_day(service: Service, client: httpx.Client, photographs: list[bytes]) -> str:
    """Send a day's photographs, let midnight pass, and return the metrics."""
    for data in photographs:
        assert ask(client, data).status_code == 200
    service.state.drift.look()
    return client.get("/metrics").text


def test_two_days_of_another_look_are_told(champions: ChampionStore) -> None:
    """Days like the test images raise nothing, nor do few pictures or the same ones again; two dark days do."""
    champions.promote(champions.head(1))
    drawn = dogs(18 + 4 * _DAY)[18:]
    calendar = iter(f"2026-11-{day:02}" for day in range(2, 29))
    with serving(champions, follow_seconds=0.1, drift_pictures=_DAY // 2) as (service, client):
        wait_until(lambda: ready(client) and "why" not in client.get("/ready").json(), 60, "explanations", pause=0.05)
        service.state.drift.today = lambda: next(calendar)
        assert "pedigree_drift{" not in _live_day(service, client, drawn[: _DAY // 4])
        quiet = _live_day(service, client, drawn[_DAY // 4 : 2 * _DAY])
        assert 'pedigree_drift{kind="look"} 0.0' in quiet
        first = _live_day(service, client, [_dark(data) for data in drawn[2 * _DAY : 3 * _DAY]])
        assert 'pedigree_drift{kind="look"} 0.0' in first
        second = _live_day(service, client, [_dark(data) for data in drawn[3 * _DAY :]])
        assert 'pedigree_drift{kind="look"} 1.0' in second
        assert 'pedigree_drift{kind="mixture"} 0.0' in second
        figures = {line.split()[0]: float(line.split()[1]) for line in second.splitlines() if line[:1] != "#"}
        assert figures['pedigree_day{figure="photographs"}'] <= _DAY
        assert figures['pedigree_day{figure="brightness"}'] < 0.4
        assert 0 <= figures['pedigree_day{figure="estimated_accuracy"}'] <= 1
        assert not np.isnan(figures['pedigree_day{figure="unusual"}'])
        again = _live_day(service, client, [_dark(data) for data in drawn[3 * _DAY :]])
        assert 'pedigree_drift{kind="look"} 0.0' in again

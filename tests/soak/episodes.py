"""The episodes of a soak: what happens before and during each, and how it must end."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from time import monotonic

from mlflow import MlflowClient

from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tests.soak.world import World

_CLASSES = tuple(BREEDS)[:3]


@dataclass(frozen=True)
class Episode:
    """What a episode is called, what happens in it, and the states that its runs must end in, in any order."""

    name: str
    happens: Callable[[World, int], list[str]]
    ends: tuple[str, ...] = ("Promoted",)


@dataclass(frozen=True)
class EpisodeResult:
    """How a episode went: the states of its runs, how many decisions the ledger holds after it, and its seconds."""

    name: str
    ended: tuple[str, ...]
    expected: tuple[str, ...]
    decisions: int
    seconds: float

    @property
    def fine(self) -> bool:
        """Tell whether it went as it must."""
        return sorted(self.ended) == sorted(self.expected)


def play(world: World, episodes: tuple[Episode, ...]) -> list[EpisodeResult]:
    """Let the episodes happen, one after the other, and tell how each went."""
    from tasks.stores.store import Store

    ends = []
    for number, episode in enumerate(episodes):
        began = monotonic()
        ended = episode.happens(world, number)
        seconds = monotonic() - began
        decisions = len(Store(world.settings.store.url).ledger.entries())
        ends.append(EpisodeResult(episode.name, tuple(ended), episode.ends, decisions, seconds))
    return ends


def loose_ends(world: World) -> list[str]:
    """Name what is not as if nothing had ever gone wrong: in the ledger, in MLflow's runs, versions and aliases."""
    from tasks.stores.store import Store

    entries = Store(world.settings.store.url).ledger.entries()
    client = MlflowClient(world.mlflow.url, world.mlflow.url)
    versions = sorted(int(version.version) for version in client.search_model_versions("name = 'pedigree'"))
    (experiment,) = (version for version in client.search_experiments() if version.name == "pedigree")
    runs = client.search_runs([experiment.experiment_id])
    champion = str(client.get_model_version_by_alias("pedigree", "champion").version)
    numbers = [version.number for version in entries]
    laws = {
        "each decision is judged against the one before it": [version.against for version in entries]
        == [None, *numbers[:-1]],
        "each decision has a version of its own": sorted(int(version.model_version) for version in entries) == versions,
        "the alias champion names the last one": champion == entries[-1].model_version,
        "each decision has one run": sorted(version.run_id for version in entries)
        == sorted(version.info.run_id for version in runs),
        "no run of MLflow's is left open": {version.info.status for version in runs} == {"FINISHED"},
    }
    return [f"it does not hold that {law}" for law, holds in laws.items() if not holds]


def _photograph(number: int, label: str) -> tuple[str, bytes]:
    sink = io.BytesIO()
    draw(label, tuple(COATS)[number % len(COATS)], number, side=96).save(sink, "JPEG")
    return f"photos/{label}/{number:03}.jpg", sink.getvalue()


def _add(world: World, episode: int, per_class: int = 4) -> None:
    for label in _CLASSES:
        for number in range(episode * 20, episode * 20 + per_class):
            key, data = _photograph(number, label)
            world.bucket.put_object(Key=key, Body=data)


def _run(world: World) -> list[str]:
    return [str(world.ended(world.begin()).state_name)]


def _additions(world: World, episode: int) -> list[str]:
    _add(world, episode, per_class=12)
    return _run(world)


def _relabels(world: World, episode: int) -> list[str]:
    _add(world, episode)
    wrong, right = _CLASSES[:2]
    for photograph in list(world.bucket.objects.filter(Prefix=f"photos/{wrong}/00"))[:2]:
        name = photograph.key.rpartition("/")[2]
        world.bucket.copy({"Bucket": "dogs", "Key": photograph.key}, f"photos/{right}/moved-{name}")
        photograph.delete()
    return _run(world)


def _removals(world: World, _episode: int) -> list[str]:
    for photograph in list(world.bucket.objects.filter(Prefix=f"photos/{_CLASSES[2]}/00"))[:3]:
        photograph.delete()
    return _run(world)


def _bad_batch(world: World, episode: int) -> list[str]:
    _add(world, episode)
    photograph = _photograph(900, _CLASSES[0])[1]
    bad = {
        "page.jpg": b"<html>404</html>",
        "empty.jpg": b"",
        "half.jpg": photograph[: len(photograph) // 2],
        "text.png": b"dog",
    }
    for name, data in bad.items():
        world.bucket.put_object(Key=f"photos/{_CLASSES[0]}/{name}", Body=data)
    return _run(world)


def _outage(world: World, episode: int, step: str, line: str, seconds: float) -> list[str]:
    _add(world, episode)
    run = world.begin()
    world.reached(run, step)
    cut = getattr(world, line)
    cut.cut()
    Event().wait(seconds)
    cut.mend()
    return [str(world.ended(run).state_name)]


def _killed(world: World, episode: int, *, with_worker: bool) -> list[str]:
    _add(world, episode)
    run = world.begin()
    world.reached(run, "embed")
    world.kill(None if with_worker else run.id)
    if with_worker:
        world.start_worker()
    after = world.begin()
    return [str(world.ended(run).state_name) for run in (run, after)]


def _two_at_once(world: World, episode: int) -> list[str]:
    _add(world, episode)
    runs = [world.begin(), world.begin()]
    return [str(world.ended(run).state_name) for run in runs]


def _clock_change(world: World, episode: int) -> list[str]:
    _add(world, episode)
    return [str(world.ended(world.begin(clock=-3600)).state_name)]


def _s3_gone(seconds: float) -> Callable[[World, int], list[str]]:
    return lambda world, episode: _outage(world, episode, "ingest", "s3", seconds)


def _mlflow_gone(seconds: float) -> Callable[[World, int], list[str]]:
    return lambda world, episode: _outage(world, episode, "train", "mlflow", seconds)


_TWO = Episode("two starts at once", _two_at_once, ("Promoted", "Unchanged"))
_NOTHING = Episode("nothing new", lambda world, _episode: _run(world), ("Unchanged",))
TEN = (
    Episode("additions", _additions),
    Episode("relabels", _relabels),
    Episode("removals", _removals),
    Episode("a bad batch", _bad_batch),
    Episode("S3 is gone for a minute", _s3_gone(60)),
    Episode("MLflow is gone for a minute", _mlflow_gone(60)),
    Episode(
        "a killed worker", lambda world, episode: _killed(world, episode, with_worker=True), ("Crashed", "Promoted")
    ),
    _TWO,
    Episode("the clock goes back an hour", _clock_change),
    _NOTHING,
)
SHORT = (
    Episode("additions", _additions),
    Episode("S3 is gone for a while", _s3_gone(8)),
    Episode("a killed run", lambda world, episode: _killed(world, episode, with_worker=False), ("Crashed", "Promoted")),
    _TWO,
)

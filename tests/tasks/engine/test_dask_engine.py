"""Work on a real cluster of processes: what dies is done again, and what cannot be done is said in one sentence."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from configs.errors import PedigreeError
from configs.sections import Scale
from tasks.engine.dask_engine import DaskEngine, connected_engine
from tasks.engine.engine import Report
from tests.dask_servers import DaskCluster, dask_cluster
from tests.servers import ROOT
from tests.simple_tasks import Alike, Deadly, Failing, Square, Unwilling, ignore

# Seconds after which the tests' scheduler gives a silent worker up.
SILENT = 3


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Run two workers of one thread each."""
    with dask_cluster(
        tmp_path_factory.mktemp("dask"), "anna", "berta", DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL=f"{SILENT}s"
    ) as running:
        yield running


@pytest.fixture
def engine(cluster: DaskCluster) -> DaskEngine:
    """Connect to the cluster, in which two workers live."""
    engine = connected_engine(Scale(engine="dask", address=cluster.address, wait=60), print)
    for _ in range(engine.count_workers(), 2):
        cluster.start_worker(f"worker-{len(cluster.processes)}")
    engine.client.wait_for_workers(2, timeout=60)
    return engine


def test_every_item_is_done_once_and_each_worker_is_asked_first(engine: DaskEngine, tmp_path: Path) -> None:
    """Twenty numbers have twenty answers and attempts, by two processes that were each prepared once."""
    reports: list[Report] = []
    answers = dict(engine.map(Square(str(tmp_path)), range(20), reports.append))
    assert answers == {number: number**2 for number in range(20)}
    assert len(list(tmp_path.glob("[0-9]*-*"))) == 20
    assert len(list(tmp_path.glob("prepared-*"))) == 2
    assert sorted({report.item for report in reports}) == list(range(20))


def test_no_more_items_are_read_than_are_in_flight(engine: DaskEngine, tmp_path: Path) -> None:
    """Whoever has read one answer of an endless row has had few more items read."""
    items = iter(range(1_000_000))
    with closing(engine.map(Square(str(tmp_path)), items, ignore)) as answers:
        next(answers)
        assert next(items) <= 2 * 2 + 1


def test_what_a_killed_worker_had_is_done_again(engine: DaskEngine, tmp_path: Path) -> None:
    """A worker that dies by kill -9 over an item costs that item's time, and no answer."""
    answers = list(engine.map(Square(str(tmp_path), deadly=5), range(12), ignore))
    assert sorted(answers) == [(number, number**2) for number in range(12)]
    assert len(list(tmp_path.glob("5-*"))) == 2


def test_a_stopped_worker_that_returns_doubles_nothing(engine: DaskEngine, tmp_path: Path) -> None:
    """What a worker had that fell silent is done by another, and its own late answer is not read."""
    answers = list(engine.map(Square(str(tmp_path), stopping=3), range(8), ignore))
    assert sorted(answers) == [(number, number**2) for number in range(8)]
    stopped, *_ = sorted(tmp_path.glob("3-*"), key=lambda path: path.stat().st_mtime)
    os.kill(int(stopped.name.partition("-")[2]), signal.SIGCONT)
    assert dict(engine.map(Square(str(tmp_path)), range(20, 24), ignore)) == {n: n**2 for n in range(20, 24)}


def test_a_store_that_does_not_answer_is_asked_again(engine: DaskEngine, tmp_path: Path) -> None:
    """Two attempts may fail; a store that stays silent, or is damaged, ends the work in the worker's own words."""
    silent, damaged = tmp_path / "silent", tmp_path / "damaged"
    for folder in (silent, damaged):
        folder.mkdir()
    assert list(engine.map(Failing(str(silent), busy=True, tries=2), [7], ignore)) == [(7, 7)]
    with pytest.raises(PedigreeError, match=r"Dask worker \S+ \(.*process \d+\): The store is not well"):
        list(engine.map(Failing(str(damaged), busy=False), [7], ignore))
    assert len(list(damaged.iterdir())) == 1


def test_a_worker_that_cannot_reach_the_bucket_is_named(engine: DaskEngine) -> None:
    """The sentence says which worker, on which machine, and what it misses."""
    with pytest.raises(PedigreeError, match=r"Dask worker \S+ \(.*\): The bucket s3://nowhere is not there"):
        list(engine.map(Unwilling(), [1], ignore))


def test_unlike_workers_are_refused_or_kept_apart(cluster: DaskCluster, engine: DaskEngine) -> None:
    """By default an unlike worker ends the work by its name; kept apart, it gets none, and others do all."""
    unlike = cluster.start_worker("unlike", PEDIGREE_UNLIKE="1")
    workers = engine.count_workers() + 1
    engine.client.wait_for_workers(workers, timeout=60)
    with pytest.raises(PedigreeError, match=r"Dask worker unlike \(.*\): This machine gives other bits"):
        list(engine.map(Alike(), range(40), ignore))
    lines: list[str] = []
    engine.scale, engine.tell = engine.scale.model_copy(update={"unlike": "separate"}), lines.append
    answers = dict(engine.map(Alike(), range(40), ignore))
    engine.scale, engine.tell = engine.scale.model_copy(update={"unlike": "refuse"}), print
    unlike.kill()
    unlike.wait()
    assert sorted(answers) == list(range(40))
    assert unlike.pid not in answers.values()
    assert len(lines) >= 1


def test_images_that_kill_every_worker_end_the_work(cluster: DaskCluster, engine: DaskEngine) -> None:
    """Work that needs more memory than any worker has is not handed round for ever."""
    for number in range(4):
        cluster.start_worker(f"spare-{number}")
    engine.client.wait_for_workers(6, timeout=60)
    with pytest.raises(PedigreeError, match="workers died over the same images: give each worker more memory"):
        list(engine.map(Deadly(), [1], ignore))


def test_other_code_is_refused_by_name(cluster: DaskCluster, tmp_path: Path) -> None:
    """A worker with another Pedigree is named before anything is handed out; so is one without any."""
    other = tmp_path / "other"
    for folder in ("configs", "tasks"):
        shutil.copytree(ROOT / folder, other / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (other / "tasks" / "more.py").touch()
    scale = Scale(engine="dask", address=cluster.address, wait=60)
    engine = connected_engine(scale, print)
    stranger = cluster.start_worker("stranger", PYTHONPATH=str(other))
    engine.client.wait_for_workers(len(engine.client.scheduler_info()["workers"]) + 1, timeout=60)
    with pytest.raises(PedigreeError, match=r"worker stranger \(.*\) has other code of Pedigree \(\w{12}\)"):
        connected_engine(scale, print)
    stranger.kill()
    stranger.wait()

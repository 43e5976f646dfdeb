"""Fetching on workers: the same store as one process makes, whoever fetches and whoever dies."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from configs.errors import PedigreeError
from configs.sections import Scale
from tasks.domain.images.image_info import Description, describe_brightness, describe_image
from tasks.domain.images.preprocessing import Limits, decoder_versions
from tasks.domain.images.rejections import Circumstances
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tasks.engine.engine import open_engine
from tasks.ingestion.ingest import _fetch_elsewhere, _fetch_here
from tasks.ingestion.ingest_results import Results
from tasks.ingestion.ingest_task import IngestTask
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.objects.s3_client import s3_client
from tasks.stores.store import Store
from tests.dask_servers import DaskCluster, dask_cluster
from tests.servers import Ceph
from tests.tls import busy_in_front

LIMITS = Limits(10**6, 10**6, 32)


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder whose files say when a worker dies."""
    return tmp_path_factory.mktemp("deaths")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, deaths: Path) -> Iterator[DaskCluster]:
    """Run a scheduler, to which tests add workers that can die."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), PEDIGREE_DIES=str(deaths)) as running:
        yield running


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write eight drawn dogs, one of them under a second name far away in the listing, and a file that is none."""
    folder = tmp_path_factory.mktemp("source")
    for seed in range(8):
        draw(BREEDS[0], COATS[seed % len(COATS)], seed, side=64).save(folder / f"{seed}.png")
    shutil.copy(folder / "0.png", folder / "z.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return str(folder)


def test_workers_make_the_store_that_one_process_makes(cluster: DaskCluster, source: str, tmp_path: Path) -> None:
    """Two workers find the same images and rejections; what both fetched at once has one row."""
    here, elsewhere = (_results(tmp_path / name, source) for name in ("here", "elsewhere"))
    entries = list(open_bucket(source).entries())
    _fetch_here(_task(here), entries, here, _quiet)
    _fetch_elsewhere(open_engine(_scale(cluster), print), _task(elsewhere), entries, elsewhere, _quiet)
    assert (here.new, here.rejected) == (elsewhere.new, elsewhere.rejected) == (8, 1)
    assert _rows(elsewhere.store) == _rows(here.store)
    assert elsewhere.store.snapshots.rejects(source) == here.store.snapshots.rejects(source)


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_worker_that_dies_over_writing_loses_and_doubles_no_image(
    cluster: DaskCluster, source: str, tmp_path: Path, deaths: Path, moment: str
) -> None:
    """Killed before, within or after writing, a worker leaves one row for each of eight images."""
    results = _results(tmp_path / "store", source)
    engine = open_engine(_scale(cluster), print)
    (deaths / moment).touch()
    _fetch_elsewhere(engine, _task(results), list(open_bucket(source).entries()), results, _quiet)
    assert not (deaths / moment).exists()
    assert len(_rows(results.store)) == len(set(_rows(results.store))) == results.new == 8


def test_a_bucket_that_a_worker_cannot_reach_leaves_nothing(cluster: DaskCluster, source: str, tmp_path: Path) -> None:
    """The sentence names the worker and the place, and nothing of the work is visible."""
    results = _results(tmp_path / "store", source)
    task = IngestTask(results.store.url, str(tmp_path / "nowhere"), LIMITS, by_reference=False, run="1")
    with pytest.raises(PedigreeError, match=r"Dask worker \S+ \(.*nowhere"):
        _fetch_elsewhere(
            open_engine(_scale(cluster), print), task, list(open_bucket(source).entries()), results, _quiet
        )
    assert not results.store.images.stored()


def test_a_worker_that_decodes_otherwise_is_refused_and_the_next_run_goes_on(
    cluster: DaskCluster, source: str, tmp_path: Path
) -> None:
    """Without the run's reader of HEIC it would reject what others accept: it is named, and nothing is visible."""
    results, entries = _results(tmp_path / "store", source), list(open_bucket(source).entries())
    scale = _scale(cluster)
    cluster.set_workers(0, "tests.deadly_worker")
    bare = cluster.start_worker("bare", PEDIGREE_LACKS="pillow_heif", preload="tests.deadly_worker")
    with pytest.raises(PedigreeError, match=r"Dask worker bare .* no pillow-heif.* and where the run is by Pillow"):
        _fetch_elsewhere(open_engine(scale, print), _task(results), entries, results, _quiet)
    assert not results.store.images.stored()
    bare.kill()
    bare.wait()
    _fetch_elsewhere(open_engine(_scale(cluster), print), _task(results), entries, results, _quiet)
    assert len(_rows(results.store)) == results.new == 8


def test_a_busy_store_loses_and_doubles_no_image(
    ceph: Ceph, s3_bucket: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Source and store on a real server that answers half of all requests with 503 at first: workers and run go on."""
    for file in Path(source).iterdir():
        open_bucket(f"{s3_bucket}/source").create(file.name, file.read_bytes())
    with (
        busy_in_front(ceph.endpoint) as (address, refused),
        dask_cluster(tmp_path / "dask", "anna", "berta", AWS_ENDPOINT_URL=address) as cluster,
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        s3_client.cache_clear()
        results = _results(f"{s3_bucket}/store", f"{s3_bucket}/source")
        entries, scale = list(open_bucket(results.source).entries()), Scale(engine="dask", address=cluster.address)
        _fetch_elsewhere(open_engine(scale, print), _task(results), entries, results, _quiet)
        assert (results.new, results.rejected) == (8, 1)
        assert len(_rows(results.store)) == len(set(_rows(results.store))) == 8
    s3_client.cache_clear()
    assert {request.partition(" ")[0] for request in refused} >= {"GET", "PUT"}


@pytest.mark.parametrize("is_new", [True, False])
def test_a_store_is_measured_in_its_own_way(tmp_path: Path, is_new: bool) -> None:
    """Here and on a worker, a new store's JPEG is measured by its brightness and an older one's by its colours."""
    (tmp_path / "source").mkdir()
    draw(BREEDS[0], COATS[0], 1, side=300).save(tmp_path / "source" / "dog.jpg")
    file = (tmp_path / "source" / "dog.jpg").read_bytes()
    results, elsewhere = (_results(tmp_path / name, str(tmp_path / "source")) for name in ("here", "elsewhere"))
    entries = list(open_bucket(results.source).entries())
    for store in () if is_new else (results.store, elsewhere.store):
        store.objects.remove("format.json")
        store.objects.create("format.json", b'{"format": 2}')
    _fetch_here(_task(results), entries, results, _quiet)
    elsewhere.store.images.commit_fragments(_task(elsewhere)(entries, _quiet).fragments)
    described = (describe_brightness if is_new else describe_image)(file, LIMITS)
    assert isinstance(described, Description)
    for store in (results.store, elsewhere.store):
        (info,) = store.images.read_infos(store.images.stored()).values()
        assert (info.phash, info.properties) == (described.phash, described.measures)
    assert describe_brightness(file, LIMITS) != describe_image(file, LIMITS)


def _results(place: Path | str, source: str) -> Results:
    store = Store(str(place))
    store.claim_format()
    return Results(store, source, Circumstances(10**6, 10**6, 32, decoder_versions(), "2026-11-29T00:00:00+00:00"))


def _task(results: Results) -> IngestTask:
    return IngestTask(results.store.url, results.source, LIMITS, by_reference=False, run=uuid4().hex)


def _scale(cluster: DaskCluster) -> Scale:
    cluster.set_workers(2, "tests.deadly_worker")
    return Scale(engine="dask", address=cluster.address, wait=60, batch=1)


def _rows(store: Store) -> list[str]:
    return sorted(store.images._table.read(["image"])["image"].to_pylist())


def _quiet(_more: int, _seconds: object = None, /) -> None:
    """Show nothing."""

"""The same bits on any number of threads and workers, and nothing lost or doubled where one of them dies.

InceptionV3 at its own size shows what smaller networks hide.
"""

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from configs.errors import PedigreeError
from configs.sections import Scale
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import Limits
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tasks.features.missing_features import embed_missing
from tasks.features.stored_models import keep_backbone, stored_backbone
from tasks.modeling.backbone.backbone import random_backbone, with_engine
from tasks.stores.store import Store
from tests.dask_servers import DaskCluster, dask_cluster
from tests.images import validate_image
from tests.servers import ROOT, PrefectServer, wait_until

IMAGES, LIMITS = 10, Limits(10**6, 10**6, 32)
# Embeds all images of a store on a cluster, and commits after each part.
COMMAND = """
import sys
from configs.sections import Scale
from tasks.domain.images.preprocessing import Limits
from tasks.features import embedding_task
from tasks.features.missing_features import embed_missing
from tasks.features.stored_models import stored_backbone
from tasks.stores.store import Store

embedding_task._VECTORS = 1
store, scale = Store(sys.argv[1]), Scale.model_validate_json(sys.argv[3])
backbone = stored_backbone(store, sys.argv[2])
print(embed_missing(backbone, sorted(store.images.stored()), store, Limits(10**6, 10**6, 32), scale))
"""


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder whose files say when a worker dies."""
    return tmp_path_factory.mktemp("deaths")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, deaths: Path) -> Iterator[DaskCluster]:
    """Run a scheduler, to which tests add workers that can die."""
    folder = tmp_path_factory.mktemp("dask")
    with dask_cluster(folder, PEDIGREE_DIES=str(deaths)) as running:
        yield running


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Fill a store with ten drawn dogs and InceptionV3 on both engines; return it with both fingerprints."""
    folder = tmp_path_factory.mktemp("filled")
    store, network = Store(str(folder)), random_backbone("mixed10", 299)
    files = [_file(seed) for seed in range(IMAGES)]
    examined = [(validate_image(file, LIMITS), file) for file in files]
    store.images.add([(info, file) for info, file in examined if isinstance(info, ImageInfo)])
    backbones = [with_engine(network, engine) for engine in ("tensorflow", "onnxruntime")]
    for backbone in backbones:
        keep_backbone(store, backbone, network.to_bytes())
    return folder, backbones[0].fingerprint, backbones[1].fingerprint


@pytest.fixture
def store(filled: tuple[Path, str, str], tmp_path: Path, prefect_server: PrefectServer) -> Store:
    """Copy of the filled store, without features."""
    assert prefect_server.api_url
    return Store(str(shutil.copytree(filled[0], tmp_path / "store")))


@pytest.fixture(scope="module")
def expected(filled: tuple[Path, str, str]) -> tuple[str, str]:
    """Hashes of the features that one thread of one process computes, by engine."""
    from tasks.modeling.backbone.embedding import embed_images

    hashes = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEDIGREE_CORES", "1")
        for fingerprint in filled[1:]:
            original = Store(str(filled[0]))
            backbone = stored_backbone(original, fingerprint)
            vectors = dict(embed_images(backbone, original.images.read(sorted(original.images.stored())), LIMITS))
            hashes.append(sha256_of_bytes(b"".join(vectors[image].tobytes() for image in sorted(vectors))))
    return hashes[0], hashes[1]


def test_two_threads_give_the_bits_of_one(
    store: Store, filled: tuple[Path, str, str], expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On either engine the features of a process with two threads are those of a process with one."""
    monkeypatch.setenv("PEDIGREE_CORES", "2")
    for fingerprint, digest in zip(filled[1:], expected, strict=True):
        assert _embed(store, fingerprint, Scale()) == IMAGES
        assert _digest(store, fingerprint) == digest


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_gives_the_bits_of_one_thread(
    cluster: DaskCluster, store: Store, filled: tuple[Path, str, str], expected: tuple[str, str], workers: int
) -> None:
    """Features of one, two and three workers, in parts of three images, are those of a process with one thread."""
    scale = _scale(cluster, workers)
    assert _embed(store, filled[2], scale) == IMAGES
    assert _digest(store, filled[2]) == expected[1]


def test_tensorflow_on_a_worker_gives_the_bits_of_one_thread(
    cluster: DaskCluster, store: Store, filled: tuple[Path, str, str], expected: tuple[str, str]
) -> None:
    """TensorFlow in a worker computes what it computes in a process with one thread."""
    assert _embed(store, filled[1], _scale(cluster, 1)) == IMAGES
    assert _digest(store, filled[1]) == expected[0]


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_worker_that_dies_over_writing_loses_and_doubles_nothing(
    cluster: DaskCluster,
    store: Store,
    filled: tuple[Path, str, str],
    expected: tuple[str, str],
    deaths: Path,
    moment: str,
) -> None:
    """Killed before, within or after writing, a worker leaves ten rows of ten images, and the same bits."""
    scale = _scale(cluster, 2)
    (deaths / moment).touch()
    assert _embed(store, filled[2], scale) == IMAGES
    assert not (deaths / moment).exists()
    assert _digest(store, filled[2]) == expected[1]


def test_a_killed_run_keeps_what_it_committed_and_holds_nobody_up(
    cluster: DaskCluster, store: Store, filled: tuple[Path, str, str], expected: tuple[str, str]
) -> None:
    """After kill -9 of the run its workers write nothing more, and the next run embeds only what lacks."""
    scale = _scale(cluster, 2)
    command = [sys.executable, "-c", COMMAND, store.url, filled[2], scale.model_dump_json()]
    table = store.features(filled[2], 2048)

    def is_begun() -> bool:
        # Until its first version is written a table cannot be read.
        with suppress(PedigreeError):
            return bool(table.stored())
        return False

    with subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL) as run:  # noqa: S603
        wait_until(is_begun, 120, "the first part is committed", pause=0.01)
        run.send_signal(signal.SIGKILL)
    known = len(table.stored())
    assert _embed(store, filled[2], scale) == IMAGES - known
    assert _digest(store, filled[2]) == expected[1]


def test_a_lost_scheduler_ends_the_run_and_not_the_next(
    tmp_path: Path, store: Store, filled: tuple[Path, str, str], expected: tuple[str, str], deaths: Path
) -> None:
    """A run that loses its scheduler says so in a sentence, and another one, without a cluster, finishes the work."""
    with dask_cluster(tmp_path / "dask", PEDIGREE_DIES=str(deaths)) as cluster:
        cluster.start_worker("anna")
        cluster.kill_scheduler_after(lambda: any((Path(store.url) / "features").glob("*.lance/data/*")))
        with pytest.raises(PedigreeError, match=r"The Dask scheduler"):
            _embed(store, filled[2], Scale(engine="dask", address=cluster.address, wait=60, batch=1))
    _embed(store, filled[2], Scale())
    assert _digest(store, filled[2]) == expected[1]


def test_an_unlike_worker_is_refused_by_name(cluster: DaskCluster, store: Store, filled: tuple[Path, str, str]) -> None:
    """A worker whose processor gives other bits for the reference pictures is named, and none of its features stays.

    Where unlike workers are kept apart and there is no other, the sentence says so.
    """
    scale = _scale(cluster, 0)
    cluster.start_worker("unlike", ONEDNN_MAX_CPU_ISA="SSE41", preload="tests.deadly_worker")
    with pytest.raises(PedigreeError, match=r"Dask worker unlike .* set scale.unlike to separate"):
        _embed(store, filled[1], scale)
    with pytest.raises(PedigreeError, match=r"Every Dask worker gives other bits .* scale.unlike is separate"):
        _embed(store, filled[1], scale.model_copy(update={"unlike": "separate"}))
    assert not store.features(filled[1], 2048).stored()


def test_a_worker_without_the_extra_is_named_and_the_next_run_goes_on(
    cluster: DaskCluster, store: Store, filled: tuple[Path, str, str], expected: tuple[str, str]
) -> None:
    """Where it lacks ONNX Runtime the sentence says how to install it, nothing is stored, and another worker embeds."""
    scale = _scale(cluster, 0)
    cluster.start_worker("bare", PEDIGREE_LACKS="onnxruntime", preload="tests.deadly_worker")
    with pytest.raises(PedigreeError, match=r"Dask worker bare .* pip install 'pedigree\[onnxruntime\]'"):
        _embed(store, filled[2], scale)
    assert not store.features(filled[2], 2048).stored()
    _scale(cluster, 0)
    assert _embed(store, filled[2], _scale(cluster, 1)) == IMAGES
    assert _digest(store, filled[2]) == expected[1]


def _embed(store: Store, fingerprint: str, scale: Scale) -> int:
    images = sorted(store.images.stored())
    return embed_missing(stored_backbone(store, fingerprint), images, store, LIMITS, scale)


def _digest(store: Store, fingerprint: str) -> str:
    """Return the hash of all features, once each of ten images has one row and no more."""
    table = store.features(fingerprint, 2048)
    assert sorted(table._table().read(["image"])["image"].to_pylist()) == sorted(store.images.stored())
    return sha256_of_bytes(table.read(sorted(store.images.stored())).tobytes())


def _scale(cluster: DaskCluster, workers: int) -> Scale:
    """Return settings for a cluster with exactly so many workers."""
    cluster.set_workers(workers, "tests.deadly_worker")
    return Scale(engine="dask", address=cluster.address, wait=60, batch=3)


def _file(seed: int) -> bytes:
    sink = io.BytesIO()
    draw(BREEDS[seed % len(BREEDS)], COATS[seed % len(COATS)], seed, side=320).save(sink, "JPEG")
    return sink.getvalue()

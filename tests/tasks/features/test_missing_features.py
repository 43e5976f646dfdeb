"""Nothing is embedded twice: not by two runs at once, and not after one that was killed or lost its lease."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from configs import schema
from configs.errors import PedigreeError
from configs.schema import Backbone as Chosen
from configs.schema import Settings
from configs.sections import Source
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import Limits, limits_from_settings
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tasks.features import missing_features
from tasks.features.missing_features import embed_missing
from tasks.modeling.backbone.backbone import random_backbone
from tasks.stores.store import Store
from tests.images import validate_image
from tests.name_reads import NameReads, name_reads
from tests.servers import ROOT, PrefectServer

# Embeds what the store lacks, and prints when it asks for the lease, and at the end how many images it embedded; where
# a number is given, it dies as if the power had failed after keeping so many single vectors.
COMMAND = """
import os, sys
from configs.schema import Settings
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.features import missing_features
from tasks.modeling.backbone.backbone import random_backbone
from tasks.stores.files.leases import Leases
from tasks.stores.store import Store
from tasks.stores.tables.features import FeatureStore

settings, last = Settings.model_validate_json(sys.argv[1]), int(sys.argv[2])
held, add = Leases.hold, FeatureStore.add

def told(*arguments):
    print("leases", flush=True)
    return held(*arguments)

def deadly(*arguments):
    global last
    add(*arguments)
    last -= 1
    if not last:
        os._exit(9)

Leases.hold = told
if last:
    missing_features._SECONDS, FeatureStore.add = 0, deadly
store, limits = Store(settings.store.url), limits_from_settings(settings.images)
images = sorted(store.images.stored())
print(missing_features.embed_missing(random_backbone("mixed0", 75), images, store, limits))
"""
__all__ = ["name_reads"]
Begin = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Fill a store with 20 drawn dogs, and name it in settings."""
    settings = Settings(
        source=Source(url="photos"),
        store=schema.Store(url=str(tmp_path)),
        backbone=Chosen(weights="random", cut="mixed0", size=75),
    )
    files = [_file(seed) for seed in range(20)]
    examined = [(validate_image(file, Limits(10**6, 10**6, 32)), file) for file in files]
    Store(settings.store.url).images.add([(info, file) for info, file in examined if isinstance(info, ImageInfo)])
    return settings


@pytest.fixture
def begin(settings: Settings, prefect_server: PrefectServer) -> Begin:
    """Begin embedding in a process of its own."""
    assert prefect_server.api_url

    def run(last: int = 0) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", COMMAND, settings.model_dump_json(), str(last)]
        return subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True)  # noqa: S603

    return run


def test_two_runs_at_once_embed_everything_once(begin: Begin, settings: Settings) -> None:
    """Of two processes that both saw 20 images lacking, each embeds what the other does not: 20 in all, 20 rows."""
    fingerprint = random_backbone("mixed0", 75).fingerprint
    with Store(settings.store.url).leases.hold(f"features-{fingerprint}"):
        runs = [begin(), begin()]
        # Both have found all images lacking before either may begin.
        assert [run.stdout.readline() for run in runs if run.stdout] == ["leases\n"] * 2
    assert sum(int(run.communicate()[0].split()[-1]) for run in runs) == 20
    assert Store(settings.store.url).features(fingerprint, 256)._table().read(["image"]).num_rows == 20


def test_what_was_embedded_before_a_kill_is_kept(begin: Begin, settings: Settings) -> None:
    """A run that dies after three vectors holds nobody up, and the next one embeds the other seventeen."""
    killed = begin(3)
    killed.communicate()
    assert killed.returncode == 9
    assert list((Path(settings.store.url) / "claims").iterdir())
    store, limits = Store(settings.store.url), limits_from_settings(settings.images)
    images = sorted(store.images.stored())
    backbone = random_backbone("mixed0", 75)
    assert embed_missing(backbone, images, store, limits) == 17
    assert embed_missing(backbone, images, store, limits) == 0


@pytest.mark.usefixtures("prefect_server")
def test_only_lacking_views_are_embedded(settings: Settings) -> None:
    """An image that is known as it is needs only its mirror image, and its features stay what they were."""
    store, limits = Store(settings.store.url), limits_from_settings(settings.images)
    images = sorted(store.images.stored())[:3]
    backbone = random_backbone("mixed0", 75)
    features = store.features(backbone.fingerprint, backbone.width)
    assert embed_missing(backbone, images, store, limits) == 3
    before = features.read(images)
    views = ("identity", "mirror")
    assert embed_missing(backbone, dict.fromkeys(images[:2], views), store, limits) == 2
    assert (features.stored(), features.stored("mirror")) == (set(images), set(images[:2]))
    assert features._table().read(["image"]).num_rows == 5
    assert features.read(images).tobytes() == before.tobytes()


@pytest.mark.usefixtures("prefect_server")
def test_a_run_that_lost_its_lease_writes_nothing_more(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose lease another one took over embeds only what that one has not, and no row lies there twice."""
    store, limits = Store(settings.store.url), limits_from_settings(settings.images)
    images = sorted(store.images.stored())[:6]
    backbone = random_backbone("mixed0", 75)
    features = store.features(backbone.fingerprint, backbone.width)
    claim = Path(settings.store.url) / "claims" / f"features-{backbone.fingerprint}.json"
    embed = missing_features._embed

    def overtaken(*arguments: object) -> Iterator[None]:
        if not features.stored():
            claim.unlink()
            with store.leases.hold(claim.stem):
                features.add(images[:4], np.zeros((4, backbone.width), np.float32))
        yield from embed(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(missing_features, "_embed", overtaken)
    assert embed_missing(backbone, images, store, limits) == 2
    assert features._table().read(["image"])["image"].to_pylist() == images


@pytest.mark.usefixtures("prefect_server")
def test_what_was_embedded_before_a_failure_is_kept(settings: Settings) -> None:
    """Where the last image turns out to be damaged, the features that were computed by then are stored all the same."""
    store, limits = Store(settings.store.url), limits_from_settings(settings.images)
    images = sorted(store.images.stored())
    backbone = random_backbone("mixed0", 75)
    store.images.add(
        [(replace(info, image="f" * 64), b"no dog") for info in store.images.read_infos(images[:1]).values()]
    )
    with pytest.raises(PedigreeError, match="is damaged in the store"):
        embed_missing(backbone, [*images, "f" * 64], store, limits)
    # A few images are read ahead of the network, so that the failure is seen before the last ones.
    assert store.features(backbone.fingerprint, backbone.width).stored() > set(images[:5])


@pytest.mark.usefixtures("prefect_server")
def test_names_are_read_once_however_many_commits(
    settings: Settings, name_reads: NameReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that commits each image, and looks images up one by one, reads no name that was read before."""
    store, limits = Store(settings.store.url), limits_from_settings(settings.images)
    images, backbone = sorted(store.images.stored()), random_backbone("mixed0", 75)
    assert embed_missing(backbone, images[:2], Store(settings.store.url), limits) == 2
    monkeypatch.setattr(missing_features, "_SECONDS", 0)
    monkeypatch.setattr("tasks.stores.tables.lance_table.LOOKED_UP", 1)
    night = Store(settings.store.url)
    assert embed_missing(backbone, images[2:8], night, limits) == 6
    features = night.features(backbone.fingerprint, backbone.width)
    assert [len(features.read([image])) for image in images[:8]] == [1] * 8
    assert night.images.lacking(images) == []
    assert len(dict(night.images.salvage(images))) == 20
    assert (name_reads.of("images"), name_reads.of(backbone.fingerprint)) == (1, 1)


def _file(seed: int) -> bytes:
    sink = io.BytesIO()
    draw(BREEDS[seed % len(BREEDS)], COATS[seed % len(COATS)], seed, side=96).save(sink, "PNG")
    return sink.getvalue()

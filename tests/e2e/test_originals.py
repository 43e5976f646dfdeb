"""Runs on a bucket that keeps its originals: trained, made again, exported, verified and forgotten by reference."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from configs.errors import PedigreeError
from configs.load import fill_form, parse_settings
from configs.schema import Settings
from tasks.catalog.export import checkout
from tasks.catalog.verify import verify
from tasks.stores.objects.originals import parse_reference
from tasks.stores.store import Store
from tests.servers import PrefectServer, mlflow_database
from tests.tasks.catalog.test_versions import quiet


@pytest.fixture
def settings(
    tmp_path: Path, _prefect: PrefectServer, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Say how to run on a bucket that keeps versions, with a store that refers to its originals."""
    boto3.client("s3").put_bucket_versioning(
        Bucket=s3_bucket.removeprefix("s3://"), VersioningConfiguration={"Status": "Enabled"}
    )
    monkeypatch.setenv("PREFECT_API_URL", _prefect.api_url)
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path))
    values = {
        "source": {"url": f"{s3_bucket}/in"},
        "store": {"url": str(tmp_path / "store"), "images": "reference"},
        "dataset": {"min_images_per_class": 3},
        "backbone": {"weights": "random", "cut": "mixed0", "size": 75},
        "gate": {"rules": [], "needs": "no-harm", "serve_check": False},
        "tracking": {"url": mlflow_database(tmp_path)},
    }
    with temporary_settings(updates={PREFECT_API_URL: _prefect.api_url, PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield parse_settings(values, "test")


def _upload(photos: Path, source: str, numbers: slice) -> None:
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    for breed in sorted(photos.glob("[!.]*/"))[:3]:
        for photo in sorted(breed.glob("*.jpg"))[numbers]:
            boto3.client("s3").upload_file(str(photo), bucket, f"{prefix}/{breed.name}/{photo.name}")


def test_a_model_lives_on_originals_that_stay_in_their_bucket(settings: Settings, photos: Path, tmp_path: Path) -> None:
    """Some images copied and some referred to, a model is made, made again from pixels, exported and verified."""
    from flows.reproduce import reproduce
    from flows.retrain import retrain

    source, store = settings.source.url, Store(settings.store.url)
    copied = settings.model_copy(update={"store": settings.store.model_copy(update={"images": "copy"})})
    _upload(photos, source, slice(5))
    retrain(**fill_form(copied, "watch"), return_state=True).result()
    _upload(photos, source, slice(5, 10))
    outcome = retrain(**fill_form(settings, "watch"), return_state=True).result()
    rows = store.manifests.read(outcome.dataset)
    kept = {image: parse_reference(data) for image, data in store.images.read_stored([row.image for row in rows])}
    assert [len(rows), sum(reference is not None for reference in kept.values())] == [30, 15]
    assert store.data_cards.read(outcome.dataset)

    verdict = reproduce(store_url=store.url, model="champion", from_pixels=True)
    assert (verdict.verdict, verdict.refitted and verdict.refitted.embedded) == ("identical", 30)
    checkout(store, outcome.dataset, tmp_path / "export", quiet)
    assert len(list((tmp_path / "export").rglob("*.jp*g"))) == 30
    assert verify(store, "latest", quiet).damage == ()

    image, lost = next((image, reference) for image, reference in kept.items() if reference)
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    boto3.client("s3").delete_object(Bucket=bucket, Key=f"{prefix}/{lost.key}", VersionId=lost.version)
    (damage,) = verify(store, "latest", quiet).damage
    assert damage.what == f"image {image}"
    assert str(lost) in damage.detail
    with pytest.raises(PedigreeError, match="is gone from its source"):
        checkout(store, outcome.dataset, tmp_path / "again", quiet)

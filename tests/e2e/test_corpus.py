"""The corpus: whole runs on every odd source, from a folder and from a real S3 server, end as its table says."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from configs.errors import PedigreeError
from configs.load import parse_settings, resolve
from configs.schema import Settings
from flows.runner import run_retrain
from tasks.catalog.versions import find_version, rejects
from tasks.stores.store import Store
from tests.corpus.__main__ import write
from tests.corpus.sources import SOURCES, Case
from tests.servers import PrefectServer

_SHARED: Mapping[str, Any] = {
    "dataset": {"min_images_per_class": 5},
    "backbone": {"weights": "random", "cut": "mixed0", "size": 75},
    "gate": {"rules": [], "needs": "no-harm", "serve_check": False},
}
_PAIRS = [(name, folder) for name, case in SOURCES.items() for folder in case.places]


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name one MLflow database for all runs; each has a model of its own."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, tracking: str) -> Settings:
    """Put the source of a case into its place, and return the settings of a run on it."""
    name, kind = request.param
    case, folder = SOURCES[name], tmp_path / "source"
    write(case, folder)
    source, store = str(folder), str(tmp_path / "store")
    if kind == "s3":
        bucket = request.getfixturevalue("s3_bucket")
        # The store stays a folder: only the source is odd here, and a store in the bucket doubled the time of a run.
        source = f"{bucket}/source"
        _upload(case, bucket.removeprefix("s3://"))
    model = re.sub("[^a-z]+", "-", f"{name}-{kind}")
    values = {"source": {"url": source}, "store": {"url": store}, "tracking": {"url": tracking, "model": model}}
    return resolve(parse_settings({**_SHARED, **values, **case.settings}, "the case"))


def _upload(case: Case, bucket: str) -> None:
    client = boto3.client("s3")
    for key, data in case.objects().items():
        client.put_object(Bucket=bucket, Key=f"source/{key}", Body=data)
    if case.denied:
        resource = f"arn:aws:s3:::{bucket}/source/{case.denied}"
        rule = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
        client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [rule]}))


@pytest.mark.parametrize(
    ("name", "settings"),
    [(name, (name, folder)) for name, folder in _PAIRS],
    indirect=["settings"],
    ids=[f"{name}, {folder}" for name, folder in _PAIRS],
)
def test_a_run_on_an_odd_source(name: str, settings: Settings, prefect_server: PrefectServer) -> None:
    """It ends in the state and with the reason of the table, and every object becomes what the table says."""
    assert prefect_server.api_url
    case = SOURCES[name]
    status, reason = _end(settings)
    assert (status, bool(re.search(case.reason, reason))) == (case.status, True), reason
    absent = {exclusion.key: exclusion.reason for exclusion in rejects(Store(settings.store.url), None).absent}
    assert {key: absent.get(key) for key in case.rejected} == case.rejected
    assert len(re.findall(r"Traceback|did not expect", reason)) == 0
    if status in {"promoted", "rejected"}:
        _check_version(case, settings.store.url)


def _end(settings: Settings) -> tuple[str, str]:
    try:
        outcome = run_retrain(settings)
    except PedigreeError as problem:
        return "refused", str(problem)
    return outcome.status, outcome.reason


def _check_version(case: Case, store: str) -> None:
    rows = {row.key: row.label for row in Store(store).manifests.read(find_version(Store(store), "latest"))}
    assert tuple(sorted(set(rows.values()))) == case.classes
    assert {key: rows.get(key) for key in case.labels} == dict(case.labels)

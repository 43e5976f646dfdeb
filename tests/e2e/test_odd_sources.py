"""Whole runs over sources that strangers fill, on a folder and on S3: each odd thing costs itself, and is named."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import boto3
import numpy as np
import pytest
from PIL import Image

from tests.contracts.test_odd_objects import deny
from tests.e2e.test_data import PEDIGREE, pedigree
from tests.servers import PrefectServer

SETTINGS = """
source: {{url: "{source}", pass_over: [thumbs]}}
store: {{url: "{place}/store"}}
labels: {labels}
"""
# Root reads what nobody may, unless it starts without that right.
NO_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
Done = subprocess.CompletedProcess[str]
Retrain = Callable[..., Done]


@pytest.fixture
def retrain(tmp_path: Path, prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> Retrain:
    """Run ``pedigree retrain`` on a source that is named."""
    assert prefect_server.api_url
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))

    def run(source: str, *changes: str, labels: str = "{}", before: Sequence[str] = ()) -> Done:
        path = tmp_path / "settings.yaml"
        path.write_text(SETTINGS.format(source=source, place=tmp_path, labels=labels))
        options = [f"--set={change}" for change in changes]
        command = [*before, str(PEDIGREE), "retrain", "-c", str(path), "--json", *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line

    return run


def rejected(folder: Path) -> dict[str, str]:
    """Return the reasons of what a store's source holds and cannot be used, by key."""
    done = pedigree("data", "rejects", "--store", str(folder / "store"), "--json")
    return {exclusion["key"]: exclusion["reason"] for exclusion in json.loads(done.stdout)["absent"]}


def photographs(folder: Path, number: int) -> None:
    """Put pictures of noise into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng([*folder.name.encode()])
    for index in range(number):
        Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(folder / f"{index}.jpg")


def upload(folder: Path, bucket: str) -> None:
    """Copy a folder into a bucket."""
    for path in sorted(entry for entry in folder.rglob("*") if entry.is_file()):
        key = path.relative_to(folder).as_posix()
        boto3.client("s3").put_object(Bucket=bucket.removeprefix("s3://"), Key=key, Body=path.read_bytes())


def test_a_folder_full_of_oddities(retrain: Retrain, tmp_path: Path) -> None:
    """A run over pipes, links in circles and names in no UTF-8 ends as without them, and names each."""
    photos = tmp_path / "photos"
    for breed in ("boxer", "pug"):
        photographs(photos / breed, 12)
    for folder in (".Trash-1000/files", "lost+found", "pug/@eaDir", "thumbs"):
        photographs(photos / folder, 2)
    os.mkfifo(photos / "pug" / "pipe.jpg")
    (photos / "pug" / "loop.jpg").symlink_to("loop.jpg")
    (photos / "pug" / os.fsdecode(b"K\xf6nig.jpg")).write_bytes(b"anything")
    (photos / os.fsdecode(b"K\xf6nige")).mkdir()
    links = {"pug/up": "..", "boxer/up": "..", "again": ".", "etc": "/etc", "boxer/zero.jpg": "/dev/zero"}
    for link, target in links.items():
        (photos / link).symlink_to(target)
    done = retrain(str(photos))
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["status"], outcome["images"]["new"], outcome["images"]["rejected"]) == ("waiting", 24, 4)
    assert "boxer waits: 12 of 20 images" in outcome["reason"]
    assert rejected(tmp_path) == {
        "//K\\xf6nige": "unusable-name",
        "pug//K\\xf6nig.jpg": "unusable-name",
        "pug/loop.jpg": "not-a-regular-file",
        "pug/pipe.jpg": "not-a-regular-file",
    }
    for words in ("5 links", "1 .Trash-1000", "1 @eaDir", "1 lost+found", "1 thumbs"):
        assert words in done.stderr


def test_a_bucket_with_an_object_that_is_denied(retrain: Retrain, s3_bucket: str, tmp_path: Path) -> None:
    """A run over a bucket whose policy denies one object goes on, says which, and asks for it again."""
    for breed in ("boxer", "pug"):
        photographs(tmp_path / "photos" / breed, 12)
    photographs(tmp_path / "photos" / ".Trash-1000", 2)
    upload(tmp_path / "photos", s3_bucket)
    deny(s3_bucket, "s3:GetObject", f"{s3_bucket.removeprefix('s3://')}/pug/3.jpg")
    labels = "{sources: [metadata, folder]}"
    done = retrain(s3_bucket, labels=labels)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images"]["new"] == 23
    assert "passed over: 1 .Trash-1000" in done.stderr
    assert rejected(tmp_path) == {"pug/3.jpg": "cannot-be-read"}
    boto3.client("s3").delete_bucket_policy(Bucket=s3_bucket.removeprefix("s3://"))
    assert json.loads(retrain(s3_bucket, labels=labels).stdout)["images"]["new"] == 1
    assert rejected(tmp_path) == {}


def test_a_prefix_that_vanished_is_asked_about(retrain: Retrain, s3_bucket: str, tmp_path: Path) -> None:
    """A class that is gone from a bucket fails the run with a question, and one word of a person lets it pass."""
    for breed in ("boxer", "pug"):
        photographs(tmp_path / "photos" / breed, 12)
    upload(tmp_path / "photos", s3_bucket)
    assert retrain(s3_bucket).returncode == 0
    for number in range(12):
        boto3.client("s3").delete_object(Bucket=s3_bucket.removeprefix("s3://"), Key=f"pug/{number}.jpg")
    for _ in range(2):
        done = retrain(s3_bucket)
        assert done.returncode == 1
        assert "12 of the 24 objects" in done.stderr.splitlines()[-1]
    assert retrain(s3_bucket, "source.vanished=at most 1").returncode == 0
    assert retrain(s3_bucket).returncode == 0


def test_a_file_and_a_folder_without_rights(retrain: Retrain, tmp_path: Path) -> None:
    """A file that may not be read is rejected by name; a folder that may not be listed fails the run by name."""
    photos = tmp_path / "photos"
    for breed in ("boxer", "husky"):
        photographs(photos / breed, 12)
    (photos / "husky" / "3.jpg").chmod(0)
    done = retrain(str(photos), before=NO_OVERRIDE)
    assert done.returncode == 0, done.stderr
    assert rejected(tmp_path) == {"husky/3.jpg": "cannot-be-read"}
    (photos / "husky").chmod(0)
    done = retrain(str(photos), before=NO_OVERRIDE)
    assert done.returncode == 1
    assert f"The folder {photos}/husky cannot be listed (Permission denied)" in done.stderr.splitlines()[-1]
    for path in (photos / "husky", photos / "husky" / "3.jpg"):
        path.chmod(0o755)
    outcome = json.loads(retrain(str(photos), before=NO_OVERRIDE).stdout)
    assert (outcome["images"]["new"], rejected(tmp_path)) == (1, {})

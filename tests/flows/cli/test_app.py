"""What a person is told when something is wrong, and that nothing is left half-done."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.servers import PrefectServer, free_port

PEDIGREE = Path(sys.executable).with_name("pedigree")
Done = subprocess.CompletedProcess[str]
Retrain = Callable[..., Done]


@pytest.fixture
def retrain(tmp_path: Path, prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> Retrain:
    """Run ``pedigree retrain`` with settings for a folder of photographs and one of Pedigree's."""
    assert prefect_server.api_url
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    (tmp_path / "photos").mkdir()
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"source: {{url: {tmp_path}/photos}}\nstore: {{url: {tmp_path}/store}}\n")

    def run(*changes: str) -> Done:
        return pedigree("retrain", "-c", str(settings), "--json", *(f"--set={change}" for change in changes))

    return run


def pedigree(*arguments: str) -> Done:
    """Run the command line as a user does."""
    command = [str(PEDIGREE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line


def photographs(folder: Path, number: int, seed: int = 0) -> None:
    """Put pictures of noise into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng([seed, *folder.name.encode()])
    for index in range(number):
        Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(folder / f"{seed}-{index}.jpg")


def files(folder: Path) -> set[str]:
    """Name every file below a folder."""
    return {str(path) for path in folder.rglob("*") if path.is_file()}


def refused(result: Done, code: int, *words: str) -> None:
    """Check the exit code, and that the answer is one sentence with these words and no traceback."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    last = result.stderr.strip().splitlines()[-1]
    assert all(word in last for word in words), last
    assert last.endswith(".")
    assert "Traceback" not in result.stderr


def test_an_unreadable_settings_file(tmp_path: Path) -> None:
    """A settings file that is not there is named, with exit code 2."""
    result = pedigree("retrain", "-c", str(tmp_path / "none.yaml"))
    refused(result, 2, "none.yaml", "cannot be read")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("training.sed=1", ("there is no setting training.sed", "training.seed")),
        ("fine_tuning.epochs=0", ("fine_tuning.epochs = 0 is not allowed",)),
        ("backbone.weights=/nowhere/inception.h5", ("backbone.sha256",)),
        ("tracking.url=ftp://example.org", ("tracking.url",)),
        ("source.url=https://example.org/photos", ("https://example.org/photos",)),
    ],
)
def test_wrong_settings(retrain: Retrain, tmp_path: Path, change: str, words: tuple[str, ...]) -> None:
    """A wrong setting is named, with exit code 2, before anything is written."""
    photographs(tmp_path / "photos" / "pug", 3)
    result = retrain(change)
    assert result.returncode == 2, result.stderr
    assert all(word in result.stderr for word in words)
    assert files(tmp_path / "store") == set()


def test_source_and_store_may_not_overlap(retrain: Retrain, tmp_path: Path) -> None:
    """A store inside the source would be listed as photographs: refused, with exit code 2."""
    refused(retrain(f"store.url={tmp_path}/photos/store"), 2, "overlap")


def test_a_missing_source(retrain: Retrain, tmp_path: Path) -> None:
    """A source that does not exist is named, with exit code 1, and no store is made."""
    refused(retrain(f"source.url={tmp_path}/elsewhere"), 1, "There is no folder", "elsewhere")
    assert not (tmp_path / "store").exists()


def test_an_empty_source(retrain: Retrain, tmp_path: Path) -> None:
    """A source without a single object is named, with exit code 1, and no store is made."""
    refused(retrain(), 1, "is empty")
    assert files(tmp_path / "store") == set()


def test_a_missing_bucket(retrain: Retrain, ceph: object, tmp_path: Path) -> None:
    """A bucket that does not exist is named, with exit code 1."""
    assert ceph
    refused(
        retrain("source.url=s3://no-such-bucket-here/dogs"), 1, "There is no bucket", "s3://no-such-bucket-here/dogs"
    )
    assert files(tmp_path / "store") == set()


def test_wrong_credentials(retrain: Retrain, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong credentials are said to be wrong, with exit code 1, and the secret is not repeated."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-wrong-secret")
    result = retrain(f"source.url={s3_bucket}")
    refused(result, 1, "refuses these credentials", s3_bucket)
    assert "a-wrong-secret" not in result.stderr


def test_no_credentials(retrain: Retrain, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing credentials are answered with the variables that would hold them, with exit code 1."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    refused(retrain(f"source.url={s3_bucket}"), 1, "no AWS credentials", "AWS_ACCESS_KEY_ID")


def test_an_s3_server_that_is_down(retrain: Retrain, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An S3 address where nobody answers is named, with exit code 1."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    refused(retrain(f"source.url={s3_bucket}"), 1, s3_bucket, "cannot be reached")


def test_mlflow_that_is_down(retrain: Retrain, tmp_path: Path) -> None:
    """An MLflow address where nobody answers is named, with exit code 1, before anything is stored."""
    photographs(tmp_path / "photos" / "pug", 3)
    address = f"http://127.0.0.1:{free_port()}"
    refused(retrain(f"tracking.url={address}"), 1, "MLflow", address)
    assert files(tmp_path / "store") == set()


def test_prefect_that_is_down(retrain: Retrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Prefect address where nobody answers is named, with exit code 1, before anything is stored."""
    photographs(tmp_path / "photos" / "pug", 3)
    address = f"http://127.0.0.1:{free_port()}/api"
    monkeypatch.setenv("PREFECT_API_URL", address)
    refused(retrain(), 1, "Prefect does not answer", address)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(("second", "words"), [(0, "only pug can be learned"), (2, "boxer waits: 2 of 20 images")])
def test_too_few_images_wait(retrain: Retrain, tmp_path: Path, second: int, words: str) -> None:
    """One class alone, or beside one of two images, is waited with: said in words, exit code 0, and no model."""
    photographs(tmp_path / "photos" / "pug", 24)
    photographs(tmp_path / "photos" / "boxer", second)
    (tmp_path / "photos" / "boxer").mkdir(exist_ok=True)
    result = retrain()
    assert result.returncode == 0, result.stderr
    outcome = json.loads(result.stdout)
    assert outcome["status"] == "waiting"
    assert words in outcome["reason"]
    assert outcome["model_version"] is None
    assert not [name for name in files(tmp_path / "store") if "ledger" in name or "datasets" in name]


def test_a_folder_of_text_files_waits(retrain: Retrain, tmp_path: Path) -> None:
    """Files that are no pictures are rejected by name, and the run waits for better ones."""
    folder = tmp_path / "photos" / "pug"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.jpg").write_text("words " * 50)
    outcome = json.loads(retrain().stdout)
    assert (outcome["status"], outcome["images"]["rejected"], outcome["images"]["total"]) == ("waiting", 5, 0)


def test_bad_photographs_cost_only_themselves(retrain: Retrain, tmp_path: Path) -> None:
    """A truncated JPEG and a picture of 30,000 x 30,000 pixels are rejected; the run goes on with the others."""
    photos = tmp_path / "photos"
    for breed in ("pug", "boxer"):
        photographs(photos / breed, 24)
    intact = next(iter(sorted((photos / "pug").iterdir()))).read_bytes()
    (photos / "pug" / "cut.jpg").write_bytes(intact[: len(intact) // 2])
    Image.new("1", (30_000, 30_000)).save(photos / "pug" / "huge.png")
    changes = ("backbone.weights=random", "backbone.cut=mixed0", "backbone.size=75")
    result = retrain(*changes, "gate.rules=[]", "gate.serve_check=false")
    assert result.returncode == 0, result.stderr
    outcome = json.loads(result.stdout)
    assert outcome["status"] == "promoted"
    assert outcome["images"] == {"total": 48, "new": 48, "rejected": 2, "embedded": 48}


def test_a_store_that_cannot_be_written(retrain: Retrain, tmp_path: Path) -> None:
    """A store where nothing can be written is named, with exit code 1."""
    photographs(tmp_path / "photos" / "pug", 3)
    (tmp_path / "file").write_text("in the way")
    refused(retrain(f"store.url={tmp_path}/file/store"), 1, f"{tmp_path}/file/store")

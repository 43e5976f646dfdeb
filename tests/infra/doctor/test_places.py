"""What the doctor says of source, store and weights, on a folder and on S3."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.errors import PedigreeError
from configs.load import parse_settings
from configs.schema import Settings
from infra.doctor import places
from infra.doctor.places import check_credentials, check_photographs, check_store, check_weights
from tasks.domain.hashing import sha256_of_bytes
from tasks.modeling.backbone.imagenet_file import ImagenetFile
from tasks.stores.objects.folder import FolderBucket
from tasks.stores.objects.object_store import open_bucket


def settings(source: str, store: str, **sections: Any) -> Settings:  # noqa: ANN401 - whatever JSON has
    """Make settings of a source and a store."""
    return parse_settings({"source": {"url": source}, "store": {"url": store}, **sections}, "a test")


def states(check: Callable[[Settings], Any], given: Settings) -> dict[str, tuple[str, str]]:
    """Return state and message by the name of each finding."""
    return {finding.name: (finding.state, finding.message) for finding in check(given)}


def fill(source: str) -> None:
    """Put a picture of each of two classes into a source."""
    for name in ("poodle", "pug"):
        open_bucket(source).create(f"{name}/1.jpg", b"picture")


def test_source_and_store_are_tried_and_left_as_they_were(url: str) -> None:
    """Labels, rights and clock are fine on a folder and on S3, and nothing that was written for that stays."""
    source, store = f"{url.rstrip('/')}/photos", f"{url.rstrip('/')}/store"
    fill(source)
    open_bucket(store).create("format.json", b'{"format": 3}')
    given = settings(source, store)
    assert {name: state for name, (state, _) in states(check_photographs, given).items()} == {
        "source": "ok",
        "labels": "ok",
    }
    found = states(check_store, given)
    assert {name: state for name, (state, _) in found.items()} == {"store": "ok", "clock of the store": "ok"}
    assert "no overwriting" in found["store"][1]
    assert [entry.key for entry in open_bucket(store).entries()] == ["format.json"]
    if url.startswith("s3://"):
        (credentials,) = check_credentials()
        assert credentials.state == "ok"


def test_a_store_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    """The first run makes the folder, and not the doctor."""
    assert states(check_store, settings("photos", str(tmp_path / "a" / "store")))["store"][0] == "ok"
    assert not (tmp_path / "a").exists()


def test_a_store_that_overwrites_stops_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes a second object under the same key would let two runs overwrite each other's decisions."""

    def overwrite(bucket: FolderBucket, key: str, data: bytes) -> bool:
        path = Path(bucket.url, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return True

    (tmp_path / "store").mkdir()
    monkeypatch.setattr(FolderBucket, "create", overwrite)
    state, message = states(check_store, settings("photos", str(tmp_path / "store")))["store"]
    assert (state, "If-None-Match" in message) == ("fail", True)


@pytest.mark.parametrize(
    ("files", "labels", "expected"),
    [
        (["1.jpg"], {}, {"labels": "warn"}),
        (["pug/1.jpg"], {}, {"labels": "warn"}),
        (["pug/1.jpg", "poodle/1.jpg", "@eaDir/1.jpg"], {}, {"labels": "ok"}),
        (["1.jpg"], {"sources": ["manifest"], "manifest": "labels.csv"}, {"manifest": "fail"}),
        (["1.jpg", "labels.csv"], {"sources": ["manifest"], "manifest": "labels.csv"}, {"manifest": "ok"}),
    ],
)
def test_where_labels_come_from_is_looked_at(
    tmp_path: Path, files: list[str], labels: dict[str, Any], expected: dict[str, str]
) -> None:
    """Photographs without class folders, and a manifest that is not there, are told before a run."""
    for name in files:
        open_bucket(str(tmp_path / "photos")).create(name, b"")
    found = states(check_photographs, settings(str(tmp_path / "photos"), "store", labels=labels))
    assert {name: state for name, (state, _) in found.items()} == {"source": "ok", **expected}


def test_a_missing_source_stops_a_run(tmp_path: Path) -> None:
    """The sentence of a run is the doctor's too."""
    with pytest.raises(PedigreeError, match="There is no folder"):
        list(check_photographs(settings(str(tmp_path / "none"), "store")))


def test_weights_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that keeps ImageNet's needs none; a file must be the one that is meant; chance is for a try."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(places, "find_imagenet", lambda _sha256: _unreachable(tmp_path))
    store, file = str(tmp_path / "store"), tmp_path / "w.h5"
    given = {name: settings("photos", store, backbone={"weights": name}) for name in ("imagenet", "random")}
    meant = settings("photos", store, backbone={"weights": str(file), "sha256": sha256_of_bytes(b"weights")})
    found = {name: states(check_weights, entry)["weights"][0] for name, entry in given.items()}
    assert found == {"imagenet": "fail", "random": "warn"}
    open_bucket(store).create("backbones/abc.json", b"{}")
    with pytest.raises(PedigreeError, match="There is no file"):
        list(check_weights(meant))
    file.write_bytes(b"others")
    with pytest.raises(PedigreeError, match=r"has SHA-256 .*, not backbone\.sha256: correct"):
        list(check_weights(meant))
    file.write_bytes(b"weights")
    assert states(check_weights, meant)["weights"][0] == "ok"
    assert states(check_weights, given["imagenet"])["weights"][0] == "ok"


def _unreachable(folder: Path) -> ImagenetFile:
    return ImagenetFile(folder, cached=False, unreachable="refused", host="example.org")

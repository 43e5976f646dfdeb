"""The data half of the line as its users run it: labels from everywhere, former days, and images taken back."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.domain.datasets.manifest import Row
from tasks.reports.pages.data_card_page import render_data_card
from tasks.reports.pages.template import make_thumbnail
from tasks.stores.store import Store
from tests.servers import Ceph, PrefectServer

PEDIGREE = Path(sys.executable).with_name("pedigree")
SETTINGS = """
source: {{url: "{source}"}}
store: {{url: "{store}"}}
labels: {labels}
dataset: {{min_images_per_class: 3}}
"""
Rebuild = Callable[..., dict[str, Any]]


def pedigree(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, in this process, which has imported already what takes longest."""
    done = CliRunner().invoke(app, arguments)
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def answered(*arguments: str) -> dict[str, Any]:
    """Run a command that must end well, and return the object that it prints."""
    done = pedigree(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def settings(tmp_path: Path, prefect_server: PrefectServer) -> Callable[..., str]:
    """Write a settings file for a source, a store and a section of labels, and return its path."""
    assert prefect_server.api_url

    def write(source: str, store: str, labels: dict[str, Any] | None = None) -> str:
        path = tmp_path / "settings.yaml"
        path.write_text(SETTINGS.format(source=source, store=store, labels=json.dumps(labels or {})))
        return str(path)

    return write


@pytest.fixture
def folder(photos: Path, tmp_path: Path) -> Path:
    """Five real photographs of each of two breeds."""
    for breed in sorted(path for path in photos.iterdir() if path.is_dir())[:2]:
        (tmp_path / "photos" / breed.name).mkdir(parents=True)
        for number, photo in enumerate(sorted(breed.glob("*.jpg"))[:5]):
            shutil.copy(photo, tmp_path / "photos" / breed.name / f"{number}.jpg")
    return tmp_path / "photos"


def rows(store: str, dataset: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Return label and attributes of a version's images by key."""
    return {row.key: (row.label, dict(row.attributes)) for row in Store(store).manifests.read(dataset)}


def card(store: str, dataset: str) -> dict[str, Any]:
    """Return a version's data card."""
    answer: dict[str, Any] = json.loads((Path(store) / "datasets" / dataset / "card.json").read_text())
    return answer


def finding_about(row: Row) -> dict[str, Any]:
    """Make a finding about one image, as a card holds it."""
    image = {"image": row.image, "key": row.key, "label": row.label, "figure": "0.1"}
    return {"kind": "too dark", "meaning": "little light", "images": [image]}


def missing(store: str, dataset: str) -> dict[str, int]:
    """Count by reason what is not in a version."""
    return {reason["reason"]: reason["images"] for reason in card(store, dataset)["missing"]}


def test_a_manifest_corrects_the_folders(folder: Path, settings: Callable[..., str], tmp_path: Path) -> None:
    """A manifest overrules folders and adds attributes; aliases, left-out classes, conflicts, vain rows are named."""
    first, second = sorted(path.name for path in folder.iterdir())
    (folder / "wolf").mkdir()
    shutil.copy(folder / second / "4.jpg", folder / "wolf" / "moved.jpg")
    (folder / second / "4.jpg").unlink()
    shutil.copy(folder / first / "3.jpg", folder / "loose.jpg")
    (folder / first / "3.jpg").unlink()
    (folder / "labels.csv").write_text(
        f"key,label,coat\n{first}/0.jpg,{second},white\n{first}/1.jpg,,black\nnowhere.jpg,{first},\n"
        f"{first}/2.jpg,pug,\n{first}/2.jpg,boxer,\n{first}/4.jpg,The Second,\n"
    )
    store = str(tmp_path / "store")
    labels = {
        "sources": ["manifest", "folder"],
        "manifest": "labels.csv",
        "aliases": {"the second": second},
        "leave_out": ["Wolf"],
    }
    rebuilt = answered("data", "rebuild", "-c", settings(str(folder), store, labels))
    assert rebuilt["ingested"]["rejected"] == 0
    assert {name: rebuilt["labels"][name] for name in ("images", "unlabelled", "conflicts", "left_out", "missing")} == {
        "images": 7,
        "unlabelled": 1,
        "conflicts": 1,
        "left_out": 1,
        "missing": 1,
    }
    assert rebuilt["dataset"]["state"] == "waiting"
    labelling = Store(store).labellings.read(rebuilt["labels"]["name"])
    labels_by_key = {
        image.key: (image.label, dict(image.attributes), dict(image.origins)) for image in labelling.labelled
    }
    assert labels_by_key[f"{first}/0.jpg"] == (second, {"coat": "white"}, {"coat": "manifest", "label": "manifest"})
    assert labels_by_key[f"{first}/1.jpg"] == (first, {"coat": "black"}, {"coat": "manifest", "label": "folder"})
    assert labels_by_key[f"{first}/4.jpg"][0] == second
    assert labelling.conflicts[0].claims == (("pug", f"{first}/2.jpg"), ("boxer", f"{first}/2.jpg"))
    assert labelling.missing == ("nowhere.jpg",)


def test_metadata_of_s3_objects_are_labels(
    folder: Path, settings: Callable[..., str], s3_bucket: str, ceph: Ceph, tmp_path: Path
) -> None:
    """Labels beside S3 objects count; when only they change, the next version has them and fetches no photograph."""
    client, name, store = boto3.client("s3"), s3_bucket.removeprefix("s3://"), str(tmp_path / "store")
    for path in sorted(folder.rglob("*.jpg")):
        key = f"in/{path.parent.name}-{path.name}"
        client.put_object(
            Bucket=name, Key=key, Body=path.read_bytes(), Metadata={"label": path.parent.name, "coat": "white"}
        )
    config = settings(f"{s3_bucket}/in", store, {"sources": ["metadata"], "attributes": ["coat"]})
    before = rows(store, answered("data", "rebuild", "-c", config)["dataset"]["hash"])
    assert len(before) == 10
    assert {attributes["coat"] for _, attributes in before.values()} == {"white"}
    key, (label, _) = next(iter(before.items()))
    other = next(other_label for other_label, _ in before.values() if other_label != label)
    client.copy_object(
        Bucket=name,
        Key=f"in/{key}",
        CopySource=f"{name}/in/{key}",
        Metadata={"label": other, "coat": "black"},
        MetadataDirective="REPLACE",
    )
    logged = ceph.log.stat().st_size
    after = answered("data", "rebuild", "-c", config)
    assert after["ingested"]["fetched"] == 0
    assert rows(store, after["dataset"]["hash"])[key] == (other, {"coat": "black"})
    requests = ceph.log.read_bytes()[logged:].decode(errors="replace").splitlines()
    assert [line for line in requests if '"GET ' in line and ".jpg" in line] == []
    assert len([line for line in requests if '"HEAD ' in line and ".jpg" in line]) == 1


def test_a_former_day_comes_back_byte_for_byte(folder: Path, settings: Callable[..., str], tmp_path: Path) -> None:
    """After photographs and manifest were overwritten, moved and deleted, the version of that day is made again."""
    store, (first, second) = str(tmp_path / "store"), sorted(path.name for path in folder.iterdir())
    labels = {"sources": ["manifest", "folder"], "manifest": "labels.csv", "attributes": ["coat"]}
    (folder / "labels.csv").write_text(f"key,coat\n{first}/0.jpg,white\n")
    config = settings(str(folder), store, labels)
    old = answered("data", "rebuild", "-c", config)["dataset"]["hash"]
    originals = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.jpg")}

    (folder / "labels.csv").unlink()
    (folder / "labels.csv").write_text(f"key,coat\n{first}/1.jpg,black\n")
    (folder / first / "2.jpg").replace(folder / second / "0.jpg")
    (folder / first / "3.jpg").unlink()
    new = answered("data", "rebuild", "-c", config)["dataset"]["hash"]
    assert new != old
    difference = answered("data", "diff", old, new, "--store", store)
    assert [change["key"] for change in difference["relabelled"]] == [f"{second}/0.jpg"]
    assert {change["key"] for change in difference["removed"]} == {f"{first}/3.jpg", f"{second}/0.jpg"}

    moment = Store(store).snapshots.first_listed(str(folder))
    rebuilt = answered("data", "rebuild", "-c", config, "--as-of", moment)
    assert rebuilt["dataset"]["hash"] == old
    answered("data", "checkout", old, str(tmp_path / "out"), "--store", store)
    files = {path.read_bytes() for path in (tmp_path / "out").rglob("*.jpg")}
    assert files == set(originals.values())


@pytest.mark.parametrize(
    ("date", "code", "words"),
    [("2020-01-01", 1, "Nothing is recorded of"), ("yesterday", 2, "yesterday is no date: write it as 2026-11-01")],
)
def test_a_wrong_day_is_one_sentence(
    folder: Path, settings: Callable[..., str], tmp_path: Path, date: str, code: int, words: str
) -> None:
    """A day before the first look, and one that is no day, are answered with one sentence."""
    done = pedigree("data", "rebuild", "-c", settings(str(folder), str(tmp_path / "store")), "--as-of", date)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_forgotten_photograph_is_gone_for_good(folder: Path, settings: Callable[..., str], tmp_path: Path) -> None:
    """No file of the store holds its bytes, it never comes back, and what used it says that it cannot be rebuilt."""
    store, config = tmp_path / "store", settings(str(folder), str(tmp_path / "store"))
    old = answered("data", "rebuild", "-c", config)["dataset"]["hash"]
    gone = min(Store(str(store)).manifests.read(old), key=lambda row: row.key)
    data = (folder / gone.key).read_bytes()
    page = store / "datasets" / old / "card.html"
    facts = {**card(str(store), old), "findings": [finding_about(gone)]}
    (page.with_name("card.json")).write_text(json.dumps(facts))
    small = make_thumbnail(data)
    assert small
    page.write_text(render_data_card(facts, {gone.image: small}))
    assert small.encode() in page.read_bytes()
    needle = data[len(data) // 2 :][:64]
    assert any(needle in path.read_bytes() for path in store.rglob("*") if path.is_file())

    forgotten = answered("data", "forget", gone.image, "--store", str(store))
    assert (forgotten["versions"], forgotten["runs"]) == ([old], [])
    assert small.encode() not in page.read_bytes()
    assert gone.key in page.read_text()
    assert not any(needle in path.read_bytes() for path in store.rglob("*") if path.is_file())
    answered("data", "forget", gone.image, "--store", str(store))

    shutil.copy(folder / gone.key, folder / Path(gone.key).parent / "again.jpg")
    after = answered("data", "rebuild", "-c", config)
    assert (after["labels"]["forgotten"], after["ingested"]["new"], after["ingested"]["rejected"]) == (1, 0, 1)
    assert gone.image not in {row.image for row in Store(str(store)).manifests.read(after["dataset"]["hash"])}
    refused = pedigree("data", "checkout", old, str(tmp_path / "out"), "--store", str(store))
    assert refused.returncode == 1
    assert "removed for good" in refused.stderr
    assert not (tmp_path / "out").exists()
    proved = pedigree("data", "verify", old, "--store", str(store), "--json")
    assert proved.returncode == 1
    about = {"what": f"image {gone.image}", "detail": "It was removed for good."}
    assert about in json.loads(proved.stdout)["damage"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("key,label\n1.jpg,Böhme\n".encode("latin-1"), "is not UTF-8 text (line 2): save it as CSV or JSON in UTF-8."),
        (b"file,breed\n1.jpg,pug\n", "has no column named key (its columns: file, breed)"),
        (None, "holds no manifest labels.csv: put it there, or correct labels.manifest."),
    ],
)
def test_a_wrong_manifest_is_one_sentence(
    folder: Path, settings: Callable[..., str], tmp_path: Path, content: bytes | None, words: str
) -> None:
    """A manifest that cannot be read stops the run with one sentence; once corrected, the run goes on."""
    store, manifest = str(tmp_path / "store"), folder / "labels.csv"
    if content:
        manifest.write_bytes(content)
    config = settings(str(folder), store, {"sources": ["manifest", "folder"], "manifest": "labels.csv"})
    done = pedigree("data", "rebuild", "-c", config)
    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (Path(store) / "datasets").exists()
    manifest.unlink(missing_ok=True)
    manifest.write_text("key,label\n")
    assert answered("data", "rebuild", "-c", config)["dataset"]["images"] == 10


def test_what_changed_is_named_in_the_card(folder: Path, settings: Callable[..., str], tmp_path: Path) -> None:
    """Odd objects of a version are counted by reason in its card, with what was read from its pictures."""
    store, (first, second) = str(tmp_path / "store"), sorted(path.name for path in folder.iterdir())
    shutil.copy(folder / first / "0.jpg", folder / second / "copy.jpg")
    (folder / first / "page.jpg").write_text("<html>404</html>")
    shutil.copy(folder / first / "1.jpg", folder / "loose.jpg")
    (folder / first / "1.jpg").unlink()
    rebuilt = answered("data", "rebuild", "-c", settings(str(folder), store))
    assert rebuilt["dataset"]["state"] == "new"
    assert missing(store, rebuilt["dataset"]["hash"]) == {"conflict": 2, "not-an-image": 1, "unlabelled": 1}
    spread = {
        balance["attribute"]: balance["origins"] for balance in card(store, rebuilt["dataset"]["hash"])["balances"]
    }
    assert spread == {"brightness": ["picture"], "resolution": ["picture"], "tone": ["picture"]}

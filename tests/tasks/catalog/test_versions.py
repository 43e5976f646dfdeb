"""Versions of real photographs, listed, compared, taken out and proved whole, on a folder and on S3."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from configs.errors import PedigreeError, SettingsError
from tasks.catalog.export import checkout
from tasks.catalog.verify import verify
from tasks.catalog.versions import diff, find_version, rejects, show, versions
from tasks.engine.tally import Advance
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tests.flows.stored_runs import photographs, write_run


@contextmanager
def quiet(_title: str, _total: int) -> Iterator[Advance]:
    """Show no progress."""
    yield lambda _more, _seconds=None, /: None


@pytest.fixture
def first(photos: Path) -> dict[str, bytes]:
    """Eighteen photographs of three breeds."""
    return photographs(photos, breeds=3, images=6)


@pytest.fixture
def second(first: dict[str, bytes], photos: Path) -> dict[str, bytes]:
    """Take two photographs away, put one into another breed's folder, and add two new ones."""
    objects = dict(first)
    keys = sorted(objects)
    del objects[keys[0]], objects[keys[1]]
    data = objects.pop(keys[2])
    objects[f"{keys[-1].partition('/')[0]}/moved.jpg"] = data
    return objects | photographs(photos, breeds=1, images=2, first=6)


def content(folder: Path) -> dict[str, bytes]:
    """Read every file below a folder, by its path in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_versions_are_listed_with_what_was_decided(url: str, first: dict[str, bytes], second: dict[str, bytes]) -> None:
    """Every version is listed, the newest last, with its images, its decisions, and whether its model serves."""
    names = [write_run(url, first), write_run(url, second)]
    listed = versions(Store(url)).versions
    assert [version.hash for version in listed] == names
    assert [(version.images, version.classes, version.champion) for version in listed] == [
        (18, 3, False),
        (18, 3, True),
    ]
    assert [[about["outcome"] for about in version.decisions] for version in listed] == [["promoted"], ["promoted"]]
    assert find_version(Store(url), "latest") == names[1]
    assert find_version(Store(url), names[0][:8]) == names[0]


def test_a_version_is_shown_by_class_and_split(url: str, first: dict[str, bytes]) -> None:
    """What is shown adds up to the manifest, also for a version that nothing was decided about."""
    name = write_run(url, first, decided=False)
    shown = show(Store(url), "latest")
    counted = Counter((row.label, row.split.value) for row in Store(url).manifests.read(name))
    assert {
        (row["label"], split): number for row in shown.classes for split, number in row["splits"].items()
    } == counted
    assert (shown.dataset, shown.decisions, shown.warnings) == (name, (), ())


def test_a_difference_names_every_image(url: str, first: dict[str, bytes], second: dict[str, bytes]) -> None:
    """Between two runs the images that came, went and changed their label are named, and no other."""
    before, after = write_run(url, first), write_run(url, second)
    keys = sorted(first)
    names = {key: hashlib.sha256(data).hexdigest() for key, data in (first | second).items()}
    difference = diff(Store(url), before[:12], "latest").to_dict()
    assert (difference["before"], difference["after"]) == (before, after)
    assert sorted(change["key"] for change in difference["added"]) == sorted(
        second.keys() - first.keys() - {difference["relabelled"][0]["key"]}
    )
    assert {change["image"] for change in difference["removed"]} == {names[keys[0]], names[keys[1]]}
    assert [(change["image"], change["before"], change["after"]) for change in difference["relabelled"]] == [
        (names[keys[2]], keys[2].partition("/")[0], keys[-1].partition("/")[0])
    ]
    assert difference["resplit"] == difference["redescribed"] == []


def test_what_is_in_no_version_is_listed_with_its_reason(url: str, first: dict[str, bytes]) -> None:
    """Rejected, unlabelled, conflicting and waiting photographs are each listed by key, with the reason."""
    keys = sorted(first)
    pug, second_image, third_image = first[keys[0]], first[keys[6]], first[keys[12]]
    odd = {
        "text.jpg": b"not a picture",
        "loose.jpg": pug[:-1] + b"\xd9\x00",
        f"{keys[12].partition('/')[0]}/other.jpg": second_image,
        "few/1.jpg": third_image + b"\x00",
    }
    write_run(url, first | odd)
    assert [(pug.reason, pug.key) for pug in rejects(Store(url), None).absent] == [("not-an-image", "text.jpg")]
    listed = {(pug.reason, pug.key) for pug in rejects(Store(url), "latest").absent}
    assert listed == {
        ("not-an-image", "text.jpg"),
        ("unlabelled", "loose.jpg"),
        ("conflict", keys[6]),
        ("conflict", f"{keys[12].partition('/')[0]}/other.jpg"),
        ("waiting", "few/1.jpg"),
    }
    assert rejects(Store(url), "latest").waiting == ("few (1 of 4 images, lacks 3)",)


def test_a_replaced_object_is_no_reject_any_more(url: str, first: dict[str, bytes]) -> None:
    """A file that was rejected and then replaced by a photograph is not listed."""
    key = min(first)
    write_run(url, {**first, key: b"words"})
    assert [exclusion.key for exclusion in rejects(Store(url), None).absent] == [key]
    write_run(url, first)
    assert rejects(Store(url), None).absent == ()


def test_a_checkout_is_the_version_every_time(url: str, first: dict[str, bytes], tmp_path: Path) -> None:
    """Two checkouts hold the same bytes under the same names: every original, by class and hash, and the manifest."""
    objects = {f"coat of {key}": data for key, data in first.items()}
    name = write_run(url, {key.replace("/", "/white/", 1): data for key, data in objects.items()})
    (tmp_path / "empty").mkdir()
    done = checkout(Store(url), name[:6], tmp_path / "deep" / "one", quiet)
    checkout(Store(url), name, tmp_path / "empty", quiet)
    files = content(tmp_path / "deep" / "one")
    assert files == content(tmp_path / "empty")
    assert (done.images, done.classes) == (18, 3)
    rows = list(csv.DictReader(files.pop("manifest.csv").decode().splitlines()))
    assert [row["image"] for row in rows] == sorted(row.image for row in Store(url).manifests.read(name))
    assert {row["coat"] for row in rows} == {"white"}
    assert {row["file"]: row["image"] for row in rows} == {
        file: hashlib.sha256(data).hexdigest() for file, data in files.items()
    }
    assert all(row["file"] == f"{row['label']}/{row['image']}.jpg" for row in rows)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_checkout_never_mixes_with_other_files(url: str, first: dict[str, bytes], tmp_path: Path) -> None:
    """A folder that holds something is refused, and stays as it is."""
    write_run(url, first)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(PedigreeError, match="is not an empty folder"):
        checkout(Store(url), "latest", tmp_path / "out", quiet)
    assert content(tmp_path / "out") == {"mine.txt": b"mine"}


def test_a_store_as_runs_leave_it_is_whole(url: str, first: dict[str, bytes], second: dict[str, bytes]) -> None:
    """Nothing is damaged in versions that runs made, whether or not something was decided about them."""
    names = [write_run(url, first), write_run(url, second, decided=False)]
    reports = [verify(Store(url), name, quiet) for name in names]
    assert [(report.images, report.decisions, report.damage) for report in reports] == [(18, 1, ()), (18, 0, ())]


def test_words_that_name_no_version(url: str, first: dict[str, bytes], tmp_path: Path) -> None:
    """A store that is missing or empty, and a version that is unknown, are each said in a sentence."""
    open_bucket(url).check()
    with pytest.raises(PedigreeError, match="holds no dataset version"):
        versions(Store(url))
    with pytest.raises(PedigreeError, match="There is no folder"):
        versions(Store(str(tmp_path / "nowhere")))
    name = write_run(url, first)
    with pytest.raises(SettingsError, match="at least 4"):
        show(Store(url), name[:3])
    with pytest.raises(SettingsError, match="no version"):
        show(Store(url), "0" * 64 if name[0] != "0" else "1" * 64)

"""The page that shows what differs between two versions."""

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_diff import diff_versions
from tasks.reports.pages.diff_page import MOST, list_pictured_images, render_version_diff
from tasks.reports.pages.template import make_thumbnail
from tests.browser import needs_chromium, open_page


def row(image: str, label: str = "pug", split: Split = Split.TRAIN) -> Row:
    """Make one row of a manifest."""
    return Row(image, label, split, (("coat", "white"),), f"{label}/{image}.jpg")


def test_every_change_is_on_the_page() -> None:
    """Each kind of change is counted, and each of its images stands there with its key."""
    diff = diff_versions([row("a"), row("b"), row("c")], [row("b", "boxer"), row("c", split=Split.TEST), row("d")])
    page = render_version_diff("1" * 64, "2" * 64, diff, {})
    assert all(f"{image}.jpg" in page for image in "abcd")
    for title, number in (("Added", 1), ("Removed", 1), ("Relabelled", 1), ("In another split", 1)):
        assert f"{title}: {number}</h2>" in page
    assert "pug → boxer" in page
    assert "train → test" in page
    assert list_pictured_images(diff) == ["a", "b", "c", "d"]


def test_labels_and_keys_are_text() -> None:
    """What people call their folders never becomes part of the page's code."""
    page = render_version_diff("1", "2", diff_versions([], [row("a", '<script>alert("x")</script>')]), {})
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_page_says_how_many_it_does_not_show() -> None:
    """Of many images the first ones are shown, and the others are counted."""
    diff = diff_versions([], [row(f"{number:04}") for number in range(MOST + 50)])
    assert len(list_pictured_images(diff)) == MOST
    page = render_version_diff("1", "2", diff, dict.fromkeys(list_pictured_images(diff), "data:image/jpeg;base64,xx"))
    assert page.count("<figure>") == page.count("<img") == MOST
    assert f"The first {MOST} are shown, 50 are not" in page


def test_a_thumbnail_is_small_and_keeps_its_shape(photos: Path) -> None:
    """A photograph becomes a JPEG of at most 96 pixels a side with the same proportions; other bytes become none."""
    path = next(iter(sorted(photos.glob("beagle/*"))))
    address = make_thumbnail(path.read_bytes())
    assert address
    small = Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))))
    original = Image.open(path)
    assert small.format == "JPEG"
    assert max(small.size) == 96
    assert small.width / small.height == pytest.approx(original.width / original.height, abs=0.03)
    assert len(address) < 10_000
    assert make_thumbnail(b"words") is None


@needs_chromium
def test_a_page_needs_nothing_else_and_fits_a_phone(photos: Path, tmp_path: Path) -> None:
    """On a phone nothing is wider than the screen, all pictures show, none is fetched, and dark follows the reader."""
    data = {path.name: make_thumbnail(path.read_bytes()) for path in sorted(photos.glob("beagle/*"))}
    diff = diff_versions([], [row(name, "a_breed_with_a_very_long_name_" * 3) for name in data])
    text = render_version_diff("1" * 64, "2" * 64, diff, data)
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    with open_page(f"file://{tmp_path}/page.html", width=390, height=844) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.emulate_media(color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light

"""Image issues: odd pictures, copies and look-alikes, where people look first."""

import io
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from tasks.domain.datasets.data_card import Evidence, build_data_card
from tasks.domain.datasets.image_issues import ALIKE, FlaggedImage, Issue, find_odd_images, summarize_duplicates
from tasks.domain.datasets.label_issues import LabelIssues, find_label_issues, fit_pca
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import Limits
from tasks.domain.labels.labeling import image_attributes
from tasks.domain.labels.labelled_images import Labelling
from tasks.reports.pages.data_card_page import render_data_card
from tests.images import validate_image

LIMITS = Limits(10**8, 10**8, 1)


def examined(image: Image.Image) -> ImageInfo:
    """Save a picture and examine it as a run does."""
    sink = io.BytesIO()
    image.save(sink, "PNG")
    info = validate_image(sink.getvalue(), LIMITS)
    assert isinstance(info, ImageInfo)
    return info


def row(image: str, label: str = "pug") -> Row:
    """Make one row of a manifest."""
    return Row(image, label, Split.TRAIN, (), image)


@pytest.fixture(scope="module")
def photograph(photos: Path) -> Image.Image:
    """Open one real photograph."""
    return Image.open(min(photos.rglob("*.jpg"))).convert("RGB")


def test_real_photographs_are_not_odd(photos: Path) -> None:
    """None of 50 real photographs is called odd."""
    paths = sorted(photos.rglob("*.jpg"))[::5]
    results = {str(path): validate_image(path.read_bytes(), LIMITS) for path in paths}
    accepted = {path: info for path, info in results.items() if isinstance(info, ImageInfo)}
    assert len(accepted) == len(paths) == 50
    assert find_odd_images([row(path) for path in accepted], accepted, 224) == ()


ODD: dict[str, Callable[[Image.Image], Image.Image]] = {
    "too dark": lambda image: ImageEnhance.Brightness(image).enhance(0.15),
    "too bright": lambda image: Image.blend(image, Image.new("RGB", image.size, "white"), 0.9),
    "nearly uniform": lambda image: Image.blend(image, Image.new("RGB", image.size, (128, 128, 128)), 0.95),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(image.width / 80)),
    "very long": lambda image: image.resize((1200, 300)),
    "tiny": lambda image: image.resize((100, 100)),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_spoilt_photograph_is_found(photograph: Image.Image, kind: str) -> None:
    """A real photograph that was made dark, bright, flat, blurred, long or tiny is found as just that."""
    issues = find_odd_images([row("odd"), row("fine")], {"odd": examined(ODD[kind](photograph))}, 224)
    assert kind in {issue.kind for issue in issues}
    assert [image.image for finding in issues for image in finding.images if finding.kind == kind] == ["odd"]


@pytest.mark.parametrize(
    ("grey", "tone", "light"), [(20, "dark", "dark"), (128, "mid", "normal"), (240, "light", "bright")]
)
def test_tone_and_brightness_are_read_from_the_picture(grey: int, tone: str, light: str) -> None:
    """The tone is that of the middle of a picture, whatever surrounds it; the brightness is that of all of it."""
    full = examined(Image.new("RGB", (400, 400), (grey, grey, grey)))
    assert image_attributes(full) == (("brightness", light), ("resolution", "medium"), ("tone", tone))
    framed = Image.new("RGB", (200, 200), (128, 128, 128))
    framed.paste((grey, grey, grey), (50, 50, 150, 150))
    assert dict(image_attributes(examined(framed)))["tone"] == tone


def make_rows(classes: int, count: int) -> tuple[list[Row], np.ndarray]:
    """Make rows and features of well separated classes."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(classes, 64)) * 3
    rows = [row(f"{label}-{number:03}", f"class {label}") for label in range(classes) for number in range(count)]
    features = np.concatenate([centre + random.normal(size=(count, 64)) for centre in centres])
    return rows, features.astype(np.float32)


def reduced(features: np.ndarray) -> np.ndarray:
    """Bring features down to their main directions, all at once."""
    return np.asarray(fit_pca(features).transform(features))


def test_labels_that_the_features_speak_against_are_found() -> None:
    """Images under a wrong label are named with the class that they look like, and none of the others."""
    rows, features = make_rows(4, 40)
    wrong = {5: "class 2", 50: "class 0", 90: "class 3"}
    changed = [row(item.image, wrong.get(index, item.label)) for index, item in enumerate(rows)]
    findings = {
        row.kind: row for row in find_label_issues(changed, [row.image for row in changed], reduced(features)).findings
    }
    suspected = findings["probably a wrong label"]
    named = {row.image: row.figure for row in suspected.images}
    assert named.keys() == {rows[index].image for index in wrong}
    assert all(named[rows[index].image].startswith(f"looks like {rows[index].label}, ") for index in wrong)
    assert set(suspected.meaning.partition(": ")[2].split(", ")) == {
        "1 of 40 in class 0",
        "1 of 40 in class 2",
        "1 of 41 in class 3",
    }


def test_an_image_unlike_all_others_is_found() -> None:
    """An image whose features are far from all others is the first outlier."""
    rows, features = make_rows(3, 40)
    features[7] = -50 * features[7]
    images = {
        finding.kind: finding.images
        for finding in find_label_issues(rows, [row.image for row in rows], reduced(features)).findings
    }
    assert images["unlike all others"][0].image == rows[7].image


def test_few_images_are_no_matter() -> None:
    """Two images of two classes, too few to say anything about, are answered with nothing and not with an error."""
    issues = find_label_issues([row("a"), row("b", "boxer")], ["a", "b"], reduced(np.eye(2, dtype=np.float32)))
    assert (issues.findings, issues.labels.classes) == ((), ())


def test_features_that_tell_nothing_apart_doubt_no_label() -> None:
    """Noise speaks against every label, so it has no say at all."""
    rows, features = make_rows(4, 40)
    noise = np.random.default_rng(1).normal(size=features.shape).astype(np.float32)
    issues = find_label_issues(rows, [row.image for row in rows], reduced(noise))
    assert "probably a wrong label" not in {finding.kind for finding in issues.findings}
    assert issues.labels == LabelIssues((), "unknown, since the features do not tell these classes apart")


NOTHING = {"copies": 0, "alike": 0, "findings": []}


def test_copies_and_look_alikes_are_one_sentence() -> None:
    """Nouns follow their number, and look-alikes under another label are told where there are any."""
    assert summarize_duplicates(NOTHING) == (
        "0 objects are copies of another, byte by byte; 0 images have a look-alike, which shares the split"
    )
    twins = asdict(
        Issue(ALIKE, "", (FlaggedImage("a", "a", "pug", "like b"), FlaggedImage("b", "b", "boxer", "like a")))
    )
    assert summarize_duplicates({"copies": 1, "alike": 2, "findings": [twins]}) == (
        "1 object is a copy of another, byte by byte; 2 images have a look-alike, which shares the split; "
        "2 images look like one under another label"
    )


def test_they_stand_above_the_classes() -> None:
    """The page of a data card tells them before its first table."""
    card = build_data_card([Row("a", "pug", Split.TEST, (), "a")], [], Evidence(Labelling((), (), ()))).to_dict()
    facts = {**card, **NOTHING, "copies": 69, "dataset": "d" * 64, "parent": None, "written": "2026-11-01T02:00:00"}
    page = render_data_card({**facts, "waiting": [], "passed_over": {}}, {})
    assert page.index("69 objects are copies") < page.index("Classes</h2>")

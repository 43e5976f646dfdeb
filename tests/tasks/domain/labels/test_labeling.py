"""What folders say, how names are spelled alike, and which spellings are slips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.labeling import SourceLabel, normalize_name, read_layout, suggest_aliases


@pytest.mark.parametrize(
    ("key", "layout", "label", "attributes"),
    [
        ("poodle/1.jpg", "label", "poodle", ()),
        ("poodle/white/1.jpg", "label", "poodle", ()),
        ("poodle/white/1.jpg", "label/coat", "poodle", (("coat", "white"),)),
        ("poodle/1.jpg", "label/coat", "poodle", ()),
        ("2026/poodle/white/deep/1.jpg", "year/label/coat", "poodle", (("coat", "white"), ("year", "2026"))),
        ("Пудель/1.jpg", "label", "Пудель", ()),
        ("1.jpg", "label", "", ()),
        ("2026/1.jpg", "year/label", "", (("year", "2026"),)),
    ],
)
def test_folders_say_label_and_attributes(key: str, layout: str, label: str, attributes: Attributes) -> None:
    """Each level of the layout names what the folder at that depth says; no folder for the label, no label."""
    assert read_layout(key, layout) == SourceLabel("folder", label, attributes)


@given(st.text())
def test_plain_is_plain(text: str) -> None:
    """Writing a name plainly twice changes nothing more."""
    assert normalize_name(normalize_name(text)) == normalize_name(text)


def test_slips_of_the_pen_are_suggested() -> None:
    """A label that occurs once and resembles another is suggested as its alias; two classes that look alike are not."""
    hints = suggest_aliases(["poodle"] * 5 + ["poodel"] + ["boxer"] * 3 + ["Box-er"] + ["akita"] * 2 + ["akito"] * 2)
    assert hints == (
        "Box-er and boxer differ only in how they are written: an alias would make them one class",
        "poodel occurs once and resembles poodle: if it is a slip, add it to labels.aliases",
    )

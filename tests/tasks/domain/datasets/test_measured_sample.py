"""What a data card measures: everything of a small version, a fixed sample and what is new of a large one."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.datasets.data_card import Evidence, build_data_card
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.measured_sample import SAMPLE, describe_measured, select_measured
from tasks.domain.datasets.splits import Split
from tasks.domain.labels.labelled_images import Labelling
from tasks.reports.pages.data_card_page import render_data_card


def row(image: str, label: str = "pug", attributes: tuple[tuple[str, str], ...] = ()) -> Row:
    """Make a row of a version."""
    return Row(image, label, Split.TRAIN, attributes, f"p/{image}")


def test_a_small_version_is_measured_whole() -> None:
    """As many images as the sample has are all measured, and the card says nothing about it."""
    rows = [row(f"{number:05}") for number in range(SAMPLE)]
    assert select_measured(rows, rows[:7]) == rows
    assert describe_measured({"images": SAMPLE, "measured": SAMPLE}) == ""
    assert describe_measured({"images": SAMPLE + 9}) == ""


images = st.dictionaries(st.text("0123456789abcdef", min_size=3, max_size=3), st.sampled_from(["pug", "boxer"]))


@given(images, images, st.integers(1, 9))
def test_the_sample_is_fixed_and_all_that_is_new_is_added(
    current: dict[str, str], former: dict[str, str], sample: int
) -> None:
    """The first names are measured in every version, whatever the order of the rows, and so is what is new."""
    rows = [row(image, label) for image, label in current.items()]
    measured = {entry.image for entry in select_measured(rows, [row(*pair) for pair in former.items()], sample)}
    new = {image for image, label in current.items() if former.get(image) != label} if former else set()
    assert measured == {*sorted(current)[:sample], *new}


def test_the_card_and_its_page_say_what_was_measured() -> None:
    """Counts and changes are of all images; attributes are of those that were measured, and both say of how many."""
    rows = [row("a", attributes=(("coat", "white"),)), row("b", attributes=(("coat", "black"),)), row("c")]
    card = build_data_card(rows, rows[:2], Evidence(Labelling((), (), ()), measured=rows[1:]))
    assert (card.images, card.measured, card.classes[0].images, len(card.added)) == (3, 2, 3, 1)
    assert [value for balance in card.balances for value in balance.values] == ["black", "not known"]
    facts = {
        **card.to_dict(),
        "dataset": "d",
        "written": "2026-11-01T00:00",
        "parent": None,
        "copies": 0,
        "alike": 0,
        "labels": "l",
    }
    assert "measured of 2 of 3 images: a fixed sample of 50,000" in render_data_card(
        facts | {"waiting": (), "passed_over": {}}, {}
    )
    assert "a fixed sample" not in render_data_card(facts | {"waiting": (), "passed_over": {}, "measured": 3}, {})

"""The data card's counts and warnings."""

from tasks.domain.card import data_card
from tasks.domain.manifest import Row
from tasks.domain.splits import Split


def row(image: str, label: str, split: Split = Split.TRAIN, coat: str = "white") -> Row:
    """Make one row of a manifest."""
    return Row(image, label, split, (("coat", coat),), "")


def test_a_card_counts_what_the_version_holds() -> None:
    """Every class is counted by split and by attribute."""
    pug = data_card([row("a", "pug"), row("b", "pug", Split.TEST, "black"), row("c", "boxer", Split.TEST)], []).classes[
        1
    ]
    assert (pug.label, pug.images) == ("pug", 2)
    assert pug.splits == {"test": 1, "train": 1}
    assert pug.attributes == {"coat=black": 1, "coat=white": 1}


def test_a_card_names_what_changed() -> None:
    """Images that are new, gone or relabelled since the parent version are named."""
    card = data_card([row("a", "pug"), row("b", "pug")], [row("b", "boxer"), row("c", "pug")])
    assert (card.added, card.removed, card.relabelled) == (("a",), ("c",), ("b",))


def test_a_card_warns() -> None:
    """Lopsided classes, classes without test images and lost classes are said in words."""
    many = [row(f"{number}", "pug", Split.TEST) for number in range(11)]
    warnings = data_card([*many, row("b", "boxer")], [row("c", "husky")]).warnings
    assert warnings == (
        "pug has 11 images, over ten times as many as boxer",
        "boxer has no test image, so nothing is known about it",
        "the class husky is gone",
    )

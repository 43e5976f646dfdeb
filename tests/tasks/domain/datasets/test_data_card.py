"""The data card: counts, balance, changes, what is missing, and warnings."""

import json

import pytest

from tasks.domain.datasets.attribute_balance import compute_balances
from tasks.domain.datasets.data_card import Change, Evidence, build_class_cards, build_data_card
from tasks.domain.datasets.exclusions import Excluded
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.labelled_images import LabelledImage, Labelling, LocatedImage
from tasks.domain.labels.results import Examples, ManifestUse

NOTHING = Labelling((), (), ())


def row(image: str, label: str, split: Split = Split.TEST, coat: str = "white") -> Row:
    """Make one row of a manifest."""
    return Row(image, label, split, (("coat", coat),), f"{label}/{image}")


def dark(image: str) -> ImageInfo:
    """Make what is known about a small picture with something dark in its middle."""
    return ImageInfo(
        image, 100, 200, "JPEG", bytes(32), ImageProperties(brightness=0.5, contrast=0.2, sharpness=500, tone=0.1)
    )


def test_a_card_counts_what_the_version_holds() -> None:
    """Every class is counted by split and by attribute."""
    _, pug = build_class_cards([row("a", "pug", Split.TRAIN), row("b", "pug", coat="black"), row("c", "boxer")])
    assert (pug.label, pug.images) == ("pug", 2)
    assert pug.splits == {"test": 1, "train": 1}
    assert pug.attributes == {"coat=black": 1, "coat=white": 1}


def test_a_card_names_what_changed_and_why() -> None:
    """Images that are new, relabelled or gone since the parent version are named by key, and why they went is said."""
    before = [row(image, "pug") for image in "abcde"]
    labelling = Labelling((), (LocatedImage("pug/d", "d"),), ())
    card = build_data_card(
        [row("a", "boxer"), row("f", "pug")], before, Evidence(labelling, forgotten=frozenset("c"), waiting=())
    )
    assert card.added == (Change("f", "pug/f", "new in pug"),)
    assert card.relabelled == (Change("a", "boxer/a", "pug is now boxer"),)
    assert {exclusion.key: exclusion.what for exclusion in card.removed} == {
        "pug/b": "no object holds it any more",
        "pug/c": "removed for good",
        "pug/d": "unlabelled: nobody says what it shows",
        "pug/e": "no object holds it any more",
    }


def test_without_a_parent_nothing_is_a_change() -> None:
    """The first version of a store has no list of changes as long as itself."""
    card = build_data_card([row("a", "pug")], [], Evidence(NOTHING))
    assert (card.added, card.removed, card.relabelled) == ((), (), ())


def test_what_is_missing_is_counted_by_reason() -> None:
    """Rejected objects, conflicts, and images of waiting and left-out classes are counted, and the first are named."""
    labelling = Labelling(
        labelled=(LabelledImage("few/1", "x", "few", (), ()),),
        unlabelled=(),
        conflicts=(),
        left_out=(LabelledImage("wolf/1", "y", "wolf", (), ()),),
    )
    rejects = [Excluded("damaged", "cut short", f"pug/{number}", "", "photos") for number in range(60)]
    card = build_data_card([row("a", "pug")], [], Evidence(labelling, rejects, ["few (1 of 20 images, lacks 19)"]))
    assert [(reason.reason, reason.images, len(reason.first)) for reason in card.missing] == [
        ("damaged", 60, 50),
        ("left-out", 1, 1),
        ("waiting", 1, 1),
    ]
    assert card.missing[2].first[0].detail == "the class waits: few (1 of 20 images, lacks 19)"


def test_attributes_say_where_they_are_from() -> None:
    """What somebody wrote down is told from what was read from the picture, and goes before it."""
    given = (("coat", "white"), ("tone", "light"))
    written = LabelledImage("a", "a", "pug", given, (("coat", "manifest"), ("tone", "folder")))
    rows = [Row("a", "pug", Split.TEST, given, "a"), Row("b", "pug", Split.TEST, (), "b")]
    examined = {image: dark(image) for image in "ab"}
    card = build_data_card(rows, [], Evidence(Labelling((written,), (), ()), image_infos=examined))
    balances = {balance.attribute: balance for balance in card.balances}
    assert balances["coat"].origins == ("manifest",)
    assert balances["tone"].origins == ("folder", "picture")
    assert balances["resolution"].origins == ("picture",)
    assert balances["tone"].classes[0].counts == {"dark": 1, "light": 1}
    assert balances["coat"].classes[0].counts == {"not known": 1, "white": 1}


def test_shares_and_distances_are_figures() -> None:
    """The distance of a class from the others is half the sum of the differences of their shares."""
    attributes: dict[str, Attributes] = {
        f"{label}{number}": (("coat", coat),)
        for label, coats in {"pug": "wwwb", "boxer": "wbbb", "husky": "wwww"}.items()
        for number, coat in enumerate(coats)
    }
    rows = [Row(image, image[:-1], Split.TEST, (), "") for image in attributes]
    (coat,) = compute_balances(rows, attributes, {"coat": ["folder"]})
    boxer, husky, pug = coat.classes
    assert boxer.shares == {"b": 0.75, "w": 0.25}
    assert (boxer.distance, husky.distance, pug.distance) == pytest.approx((0.75 - 1 / 8, 0.5, 0.375 - 0.25))


def test_a_class_lacks_what_others_have_enough_of() -> None:
    """A value is lacking where by the others' share three images should have it, and not where one or two should."""
    attributes: dict[str, Attributes] = {
        f"{label}{number}": (("coat", "white" if number < white else "spotted" if number == 9 else "black"),)
        for label, white in {"pug": 4, "boxer": 3, "husky": 0}.items()
        for number in range(10 - (label == "husky"))
    }
    (coat,) = compute_balances([Row(image, image[:-1], Split.TEST, (), "") for image in attributes], attributes, {})
    assert {entry.label: entry.lacking for entry in coat.classes} == {"boxer": (), "husky": ("white",), "pug": ()}
    single = [row(f"{number}", "pug") for number in range(10)]
    assert compute_balances(single, {item.image: item.attributes for item in single}, {})[0].classes[0].lacking == ()


def test_a_card_warns() -> None:
    """Lopsided classes, untested classes, lost classes, slips of the pen and vain manifest rows are said in words."""
    many = [row(f"{number}", "pug", coat="black" if number % 2 else "white") for number in range(120)]
    labelled = tuple(LabelledImage("", f"{n}", label, (), ()) for n, label in enumerate(["boxer", "boxer", "boxxer"]))
    poodles = [row(f"p{number}", "poodle") for number in range(10)]
    card = build_data_card(
        [*many, *poodles, row("b", "boxer", Split.TRAIN, coat="black")],
        [row("c", "husky")],
        Evidence(
            Labelling(labelled, (), ()), manifest=ManifestUse(rows=4, fits=3, missing=Examples(1, ("nowhere.jpg",)))
        ),
    )
    assert card.warnings == (
        "pug has 120 images, over ten times as many as boxer",
        "boxer has no test image, so nothing is known about it",
        "the class husky is gone",
        "all 10 images of poodle have coat=white, of the other classes 50%",
        "boxxer occurs once and resembles boxer: if it is a slip, add it to labels.aliases",
        "1 reference of the manifest not in the source: nowhere.jpg",
    )
    assert json.loads(json.dumps(card.to_dict()))["images"] == 131


def test_classes_of_few_test_images_are_unknown_on_the_card() -> None:
    """Those with fewer than the gate asks for are named with their number, the fewest first; many are counted."""
    rows = [
        row(f"{label}{number}", label)
        for label, images in (("pug", 3), ("boxer", 1), ("husky", 10))
        for number in range(images)
    ]
    assert build_data_card(rows, [], Evidence(NOTHING, minimum=10)).warnings == (
        "fewer than 10 test images, so it is unknown how well they are recognised: boxer (1), pug (3)",
    )
    untested = [row(label, label, Split.TRAIN) for label in "abcdefg"]
    assert build_data_card(untested, [], Evidence(NOTHING, minimum=10)).warnings == (
        "7 classes have no test image, so nothing is known about them: a, b, c, d, e and 2 more",
    )

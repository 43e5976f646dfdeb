"""Laws of the data half: hashes, splits and groups, over whatever may arrive."""

from itertools import combinations
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.domain.duplicates import groups
from tasks.domain.labels import Attributes
from tasks.domain.manifest import Row, dataset_hash
from tasks.domain.splits import Assigned, Shares, Split, assign

SHARES = Shares(test=20, validation=15)
names = st.text("0123456789abcdef", min_size=4, max_size=6)
attributes = st.dictionaries(st.sampled_from(["coat", "light"]), st.sampled_from(["white", "пёстрый"])).map(
    lambda found: tuple(sorted(found.items()))
)
rows = st.builds(Row, names, st.sampled_from(["poodle", "pug", "ñ"]), st.sampled_from(Split), attributes, st.text())
manifests = st.lists(rows, min_size=1, max_size=12, unique_by=lambda row: row.image)
hashes = st.integers(0, 2**64 - 1)


def changed(row: Row, **values: object) -> Row:
    """Copy a row with some of its values replaced."""
    return Row(**{**{name: getattr(row, name) for name in Row.__slots__}, **values})


@given(manifests, st.randoms(), st.text())
def test_the_hash_forgets_order_and_keys(manifest: list[Row], random: Random, key: str) -> None:
    """The dataset hash is the same in any order, and under any keys."""
    shuffled = [changed(row, key=key) for row in manifest]
    random.shuffle(shuffled)
    assert dataset_hash(shuffled) == dataset_hash(manifest)


@given(manifests, st.data())
def test_the_hash_sees_every_change(manifest: list[Row], data: st.DataObject) -> None:
    """The dataset hash changes when one image's bytes, label, split or attributes change, or one image more or less."""
    index = data.draw(st.integers(0, len(manifest) - 1))
    row = manifest[index]
    field = data.draw(st.sampled_from(["image", "label", "split", "attributes"]))
    other = data.draw(
        {"image": names, "label": st.text(), "split": st.sampled_from(Split), "attributes": attributes}[field]
    )
    assume(other != getattr(row, field))
    assert dataset_hash([*manifest[:index], changed(row, **{field: other}), *manifest[index + 1 :]]) != dataset_hash(
        manifest
    )
    assert dataset_hash([*manifest[:index], *manifest[index + 1 :]]) != dataset_hash(manifest)


def test_the_hash_is_the_one_that_others_computed() -> None:
    """The dataset hash of a given manifest never changes between versions of the code."""
    known: Attributes = (("coat", "white"),)
    manifest = [Row("b" * 64, "poodle", Split.TEST, known, "x"), Row("a" * 64, "pug", Split.TRAIN, (), "y")]
    assert dataset_hash(manifest) == "b978b627478a852cb4a7dd6ad534e6be166585b8de34f5cbe1c6bf9023616c2d"


@given(st.dictionaries(names, hashes, max_size=25), st.integers(0, 3), st.data())
def test_groups_are_those_of_a_plain_comparison(pictures: dict[str, int], bits: int, data: st.DataObject) -> None:
    """Grouping by bands finds exactly the groups that comparing every pair finds, each named by its smallest image."""
    for image in list(pictures)[: len(pictures) // 2]:
        flips = data.draw(st.lists(st.integers(0, 63), max_size=4))
        pictures[f"{image}~"] = pictures[image]
        for flip in flips:
            pictures[f"{image}~"] ^= 1 << flip
    expected = {image: {image} for image in pictures}
    for first, second in combinations(pictures, 2):
        if (pictures[first] ^ pictures[second]).bit_count() <= bits and expected[first] is not expected[second]:
            joined = expected[first] | expected[second]
            expected.update(dict.fromkeys(joined, joined))
    assert groups(pictures, bits) == {image: min(together) for image, together in expected.items()}


@st.composite
def nights(draw: st.DrawFn) -> list[dict[str, int]]:
    """Draw nights that add pictures, near copies of old ones, and pictures that lie between two old ones."""
    seen: dict[str, int] = {}
    history = []
    for night in range(draw(st.integers(1, 5))):
        new = {f"{name}{night}": draw(hashes) for name in draw(st.lists(names, max_size=4, unique=True))}
        for number, old in enumerate(draw(st.lists(st.sampled_from(sorted(seen)), max_size=3)) if seen else []):
            new[f"{draw(names)}{night}n{number}"] = seen[old] ^ (1 << draw(st.integers(0, 63)))
        seen |= new
        history.append(new)
    return history


@given(nights())
def test_a_split_is_for_life(history: list[dict[str, int]]) -> None:
    """Whatever later nights add, no image ever changes its split, and every image has one."""
    pictures: dict[str, int] = {}
    known: dict[str, Assigned] = {}
    for new in history:
        pictures |= new
        fresh = assign(groups(pictures, 3), known, SHARES)
        assert not fresh.keys() & known.keys()
        known |= fresh
        assert known.keys() == pictures.keys()


@given(nights())
def test_no_new_image_stands_across_the_line(history: list[dict[str, int]]) -> None:
    """A new image is never used on one side while an image that it resembles is used on the other."""
    pictures: dict[str, int] = {}
    known: dict[str, Assigned] = {}
    for new in history:
        pictures |= new
        together = groups(pictures, 3)
        fresh = assign(together, known, SHARES)
        known |= fresh
        for image, assigned in fresh.items():
            used = {known[other].split for other, group in together.items() if group == together[image]}
            assert assigned.split is Split.HELD_OUT or used <= {assigned.split, Split.HELD_OUT}


@given(st.lists(names, min_size=1, unique=True), st.data())
def test_a_split_does_not_depend_on_company(images: list[str], data: st.DataObject) -> None:
    """An image that resembles no other gets the same split whatever arrives with it."""
    part = data.draw(st.lists(st.sampled_from(images), unique=True))
    alone = assign({image: image for image in part}, {}, SHARES)
    together = assign({image: image for image in images}, {}, SHARES)
    assert alone == {image: together[image] for image in part}


def test_shares_stay_near_the_settings() -> None:
    """Over many images the shares of the splits are those of the settings, within two points."""
    found = [one.split for one in assign({f"{n:064x}": f"{n:064x}" for n in range(5000)}, {}, SHARES).values()]
    shares = {split: 100 * found.count(split) / len(found) for split in Split}
    assert abs(shares[Split.TEST] - 20) < 2
    assert abs(shares[Split.VALIDATION] - 15) < 2
    assert shares[Split.HELD_OUT] == 0

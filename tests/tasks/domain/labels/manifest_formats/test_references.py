"""What a manifest's references mean among the keys of a source."""

from collections.abc import Iterator
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.labels.manifest_formats.reading import read_manifest
from tasks.domain.labels.manifest_formats.references import KeyIndex
from tasks.domain.labels.manifest_formats.statements import join_names
from tasks.domain.labels.results import Examples, ManifestUse, count_manifest_use, match_statements

DECOMPOSED, COMPOSED = (normalize(form, "pug/Böhme.jpg") for form in ("NFD", "NFC"))
KEYS = ("pug/1.jpg", "cat/2.jpg", "cat/2.png", "0003.jpg", DECOMPOSED)


@pytest.mark.parametrize(
    ("reference", "source", "root", "key"),
    [
        ("pug/1.jpg", "s3://dogs/in", "", "pug/1.jpg"),
        ("./pug/1.jpg", "s3://dogs/in", "", "pug/1.jpg"),
        ("s3://dogs/in/pug/1.jpg", "s3://dogs/in/", "", "pug/1.jpg"),
        ("s3://cats/in/pug/1.jpg", "s3://dogs/in", "", None),
        ("s3://cats/in/pug/1.jpg", "s3://dogs/in", "s3://cats/in/", "pug/1.jpg"),
        ("s3://cats/in/pug/1.jpg", "s3://dogs/in", "s3://cats", None),
        ("pug/1.jpg", "s3://dogs/in", "s3://cats/in", "pug/1.jpg"),
        ("file:///photos/pug/1.jpg", "/photos", "", "pug/1.jpg"),
        ("/photos/pug/1.jpg", "file:///photos", "", "pug/1.jpg"),
        ("/photos/pug/1.jpg", "/photos", "", "pug/1.jpg"),
        ("/my photos/pug/1.jpg", "file:///my%20photos", "", "pug/1.jpg"),
        ("file:///my%20photos/pug%2F1.jpg", "/my photos", "", "pug/1.jpg"),
        ("/elsewhere/pug/1.jpg", "/photos", "", None),
        ("/elsewhere/pug/1.jpg", "/photos", "/elsewhere", "pug/1.jpg"),
        ("/elsewhere2/pug/1.jpg", "/photos", "/elsewhere", None),
        ("/pug/1.jpg", "/photos", "/", "pug/1.jpg"),
        ("/pug/1.jpg", "/photos", "", None),
        ("https://cdn.test/in/pug/1.jpg", "s3://dogs/in", "", None),
        ("https://cdn.test/in/pug/1.jpg?X-Amz-Signature=0", "s3://dogs/in", "https://cdn.test/in", "pug/1.jpg"),
        ("https://cdn.test/my%20in/pug%2F1.jpg", "s3://dogs/in", "https://cdn.test/my%20in/", "pug/1.jpg"),
        ("/data/local-files/?d=photos/pug%2F1.jpg", "/anywhere", "", None),
        ("/data/local-files/?d=photos/pug%2F1.jpg", "/anywhere", "photos", "pug/1.jpg"),
        ("/data/local-files/?d=pug/1.jpg", "/anywhere", "", "pug/1.jpg"),
        ("/data/local-files/?d=cats2025/0003.jpg", "/dogs2026", "", None),
        ("/data/local-files/?d=cats2025/0003.jpg", "/dogs2026", "dogs2026", None),
        ("/data/local-files/?d=0003.jpg&d=pug/1.jpg", "/dogs2026", "", None),
        ("/data/upload/1/3fa9-1.jpg", "s3://dogs/in", "", None),
        ("1.jpg", "/photos", "", None),
        ("1.jpg", "/photos", "pug", "pug/1.jpg"),
        ("pug/1.jpg", "/photos", "pug/", "pug/1.jpg"),
        ("0003.jpg", "/photos", "pug", None),
        ("http://[bad", "/photos", "", None),
        ("http://[bad/local-files/?d=pug/1.jpg", "/photos", "", None),
        (COMPOSED, "/photos", "", DECOMPOSED),
        (DECOMPOSED, "/photos", "", DECOMPOSED),
        (f"/B\u00f6hme/{COMPOSED}", normalize("NFD", "/B\u00f6hme"), "", DECOMPOSED),
        ("", "/photos", "", None),
    ],
)
def test_a_reference_is_a_whole_path(reference: str, source: str, root: str, key: str | None) -> None:
    """Objects are found by their whole path below the source or the root, in any code points, and by no tail."""
    assert KeyIndex(KEYS, source, root).find_keys(reference) == ((key,) if key else ())


def test_an_id_is_a_key_without_its_extension() -> None:
    """Kaggle's ids fit the only picture of that name; two pictures of one name are ambiguous, and files are none."""
    index = KeyIndex([*KEYS, "pug/notes.txt"], "/photos", "")
    assert index.find_keys("0003", stems=True) == ("0003.jpg",)
    assert index.find_keys("0003") == ()
    assert index.find_keys("cat/2", stems=True) == ("cat/2.jpg", "cat/2.png")
    assert index.find_keys("pug/notes", stems=True) == ()
    assert index.find_keys(COMPOSED.removesuffix(".jpg"), stems=True) == (DECOMPOSED,)


def test_two_files_that_look_the_same_are_never_taken_for_each_other() -> None:
    """Where a key exists in both code points, each is found by its own; what is neither of them is ambiguous."""
    index = KeyIndex(
        {COMPOSED, DECOMPOSED, normalize("NFD", "é/Böhme"), "é/B" + normalize("NFD", "ö") + "hme"}, "/photos", ""
    )
    assert index.find_keys(COMPOSED) == (COMPOSED,)
    assert index.find_keys(DECOMPOSED) == (DECOMPOSED,)
    assert len(index.find_keys(normalize("NFC", "é/Böhme"))) == 2


@given(st.lists(st.text("aä/.", min_size=1), unique=True), st.text("aä/."), st.text("aä/."))
def test_what_is_found_is_a_key_and_below_a_stated_place(keys: list[str], reference: str, root: str) -> None:
    """No reference ever means anything but a key that is its path, with or without the root."""
    for key in KeyIndex(keys, "s3://in", root).find_keys(reference):
        assert key in keys
        path, plain, start = (normalize("NFC", text) for text in (key, reference, root.rstrip("/")))
        assert path in {
            plain,
            plain.removeprefix("./"),
            f"{start}/{plain}",
            plain.removeprefix(f"{start}/"),
            plain.removeprefix(f"{start}/").removeprefix("./"),
        }


class CountingKeys(set[str]):
    """Keys that count how often they are asked."""

    asked = 0

    def __contains__(self, key: object) -> bool:
        """Count, and answer."""
        self.asked += 1
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        """Count as many as there are."""
        self.asked += len(self)
        return super().__iter__()


@pytest.mark.parametrize("root", ["", "photos", "pug"])
def test_a_long_reference_asks_no_more_than_a_short_one(root: str) -> None:
    """The work for a reference does not grow with the folders in it, and the keys are gone through once in all."""
    counts = []
    for folders in (1, 20_000):
        keys = CountingKeys(KEYS)
        index = KeyIndex(keys, "/photos", root)
        for _ in range(10):
            assert index.find_keys("/data/local-files/?d=" + "ä/" * folders, stems=True) == ()
        counts.append(keys.asked)
    assert counts[0] == counts[1] <= 2 * 10 + 3 * len(KEYS)


def test_what_a_manifest_and_a_source_lack_is_counted_and_named() -> None:
    """Rows that cannot be used, references to none or several, and objects without row or label are each counted."""
    data = (
        b'{"id": "0003", "breed": "pug"}\n{"id": "cat/2", "breed": "pug"}\n{"id": "9", "breed": "pug"}\n'
        b'{"id": "pug/1", "breed": ""}\n{"breed": "pug"}\n'
    )
    reading = read_manifest(data, "labels")
    matched = match_statements(reading, KeyIndex(KEYS, "/photos", ""))
    use = count_manifest_use(reading, matched, KEYS)
    assert matched.missing == ["9"]
    assert use == ManifestUse(
        rows=4,
        fits=2,
        missing=Examples(1, ("9",)),
        skipped=Examples(1, ("line 5 does not say which object it is about: id is empty or no text",)),
        ambiguous=Examples(1, ("line 2, cat/2, may be cat/2.jpg, cat/2.png",)),
        without_row=Examples(3, ("cat/2.jpg", "cat/2.png", join_names([DECOMPOSED]))),
        without_label=Examples(1, ("pug/1.jpg",)),
    )
    assert len(list(use.sentences())) == 5
    nowhere = match_statements(reading, KeyIndex((), "/photos", ""))
    assert any(
        "object of the source: 0003; cat/2; 9; and 1 more" in line
        for line in count_manifest_use(reading, nowhere, ()).sentences()
    )


def test_a_signed_address_is_named_without_its_signature() -> None:
    """What opens an object for whoever reads it stands in no sentence about the manifest."""
    reading = read_manifest(b"key,label\nhttps://cdn.test/1.jpg?X-Amz-Signature=secret,pug\n", "labels")
    use = count_manifest_use(reading, match_statements(reading, KeyIndex(KEYS, "s3://dogs/in")), KEYS)
    assert use.missing == Examples(1, ("https://cdn.test/1.jpg",))

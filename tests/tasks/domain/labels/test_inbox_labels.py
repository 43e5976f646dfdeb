"""Labels of pictures that came through the inbox."""

import pytest

from tasks.domain.labels.inbox_labels import (
    INBOX_FOLDER,
    InboxLabel,
    find_image,
    format_labels,
    is_label_file,
    parse_labels,
    picture_key,
)
from tasks.domain.labels.manifest_formats.reading import read_manifest
from tasks.domain.labels.manifest_formats.statements import ManifestOptions

IMAGE = "0a" * 32


@pytest.mark.parametrize(
    ("reference", "image"),
    [
        (f"s3://dogs/inbox/2026-11-28/{IMAGE}.jpg", IMAGE),
        (f"/data/local-files/?d=inbox/2026-11-28/{IMAGE}.jpg", IMAGE),
        (f"/data/local-files/?d=my%20dogs%2Finbox%2F{IMAGE}.webp", IMAGE),
        (f"/data/upload/3/1f2e3d4c-{IMAGE}.png", IMAGE),
        (f"https://s3.example.org/dogs/{IMAGE}.jpg?X-Amz-Signature={'0b' * 32}", IMAGE),
        (f"{IMAGE}.jpg", IMAGE),
        (f"0{IMAGE}.jpg", ""),
        (IMAGE, ""),
        ("pug/1.jpg", ""),
        ("", ""),
    ],
)
def test_a_picture_is_found_by_its_hash_however_it_is_reached(reference: str, image: str) -> None:
    """The SHA-256 that names a picture's file is found in every address that Label Studio may show it by."""
    assert find_image(reference) == image


def test_labels_come_back_through_the_reader_of_manifests() -> None:
    """A file of labels is a label manifest, is named by what it says, and is the same in whatever order it is made."""
    labels = [
        InboxLabel(picture_key("b" * 64, "jpg"), 'пудель, "toy"', (("from", "inbox"), ("kept_for", "random"))),
        InboxLabel(picture_key(IMAGE, "png"), "pug", (("coat", "black"), ("from", "inbox"))),
    ]
    key, data = format_labels(labels)
    assert format_labels(reversed([*labels, *labels])) == (key, data)
    assert (is_label_file(key), is_label_file(labels[0].key)) == (True, False)
    assert all(name.startswith(INBOX_FOLDER) for name in (key, labels[0].key))
    reading = read_manifest(data, key, ManifestOptions("label"))
    assert parse_labels([reading, reading]) == {label.key: [label] for label in labels}


def test_a_key_with_two_labels_keeps_both() -> None:
    """What two files say differently of one picture is a conflict, and neither wins."""
    labels = [InboxLabel("pedigree-inbox/1.jpg", name, ()) for name in ("boxer", "pug")]
    readings = [read_manifest(format_labels([label])[1], "labels", ManifestOptions("label")) for label in labels]
    assert parse_labels(readings) == {"pedigree-inbox/1.jpg": labels}

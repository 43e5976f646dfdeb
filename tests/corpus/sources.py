"""Whole sources: two classes of drawn dogs each, and what one odd habit of people or programs adds to them."""

import json
import os
import socket
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageEnhance

from tasks.domain.synthetic.drawn_dogs import draw
from tests.corpus.files import BAD, GOOD
from tests.tasks.domain.pictures import saved

IMAGES_PER_CLASS = 8
CLASSES = ("poodle", "beagle")
Objects = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Case:
    """One odd source, and how a run on it must end.

    Args:
        objects: The source's objects by key.
        status: How the run ends; ``refused`` where a sentence ends it with an error.
        reason: What the outcome's reason or the sentence must match, as a regular expression.
        settings: Settings of the run beside those that all cases share.
        labels: The label that each of these keys must have in the dataset version; None where it must not be in it.
        rejected: The reason of each object that must be rejected.
        classes: The classes of the dataset version.
        entries: Adds to a folder what no bucket can hold; the case has no bucket then.
        denied: The key of an object that a bucket's policy lets nobody read; the case has no folder then.
    """

    objects: Callable[[], Objects]
    status: str = "promoted"
    reason: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str | None] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = tuple(sorted(CLASSES))
    entries: Callable[[Path], None] | None = None
    denied: str = ""

    @property
    def places(self) -> tuple[str, ...]:
        """The kinds of place that can hold the source."""
        kinds = {"folder": not self.denied, "s3": self.entries is None}
        return tuple(kind for kind, fits in kinds.items() if fits)


def dogs(folder: str = "{breed}/", classes: tuple[str, ...] = CLASSES) -> Objects:
    """Draw the photographs of all classes, and name their keys by a pattern."""
    return {
        f"{folder.format(breed=breed)}{breed}{seed}.jpg": saved(draw(breed, "white", seed), "JPEG", quality=90)
        for breed in classes
        for seed in range(IMAGES_PER_CLASS)
    }


def flat(*manifest: str | bytes, name: str = "labels") -> Objects:
    """Put all photographs into one folder, with a manifest of these lines."""
    text = b"".join(line if isinstance(line, bytes) else f"{line}\n".encode() for line in manifest)
    return {**dogs("inbox/"), name: text}


def rows(line: str, first: int = 0) -> list[str]:
    """Write one line a photograph, of its key, its number and its breed, from the given photograph on."""
    keys = [(key, key.removeprefix("inbox/").rstrip("0123456789.jpg")) for key in dogs("inbox/")]
    return [line.format(key=key, breed=breed) for key, breed in keys[first:]]


def manifest(reason: str = "", status: str = "refused", **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    """Take labels from the manifest alone, and expect this end."""
    labels = {"sources": ["manifest"], "manifest": "labels", **settings}
    return {"settings": {"labels": labels}, "status": status, "reason": reason}


def _two_labels() -> Objects:
    objects = dogs()
    for seed in range(4):
        picture = ImageEnhance.Brightness(draw("poodle", "white", seed)).enhance(1.02)
        objects[f"beagle/again{seed}.jpg"] = saved(picture, "JPEG", quality=70)
    return objects


def _odd_entries(folder: Path) -> None:
    poodles = folder / "poodle"
    (poodles / "loop.jpg").symlink_to("loop.jpg")
    (poodles / "up").symlink_to("..")
    (folder / "beagle" / "up").symlink_to("..")
    (folder / "outside").symlink_to("/etc")
    (poodles / "zero.jpg").symlink_to("/dev/zero")
    (poodles / "nothing.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(poodles / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        # A socket's address is short, whatever folder tests run in.
        descriptor = os.open(poodles, os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{descriptor}/socket.jpg")
        finally:
            os.close(descriptor)
    assert stat.S_ISSOCK((poodles / "socket.jpg").stat().st_mode)
    raw = os.fsencode(poodles) + b"/K\xf6nig.jpg"
    Path(os.fsdecode(raw)).write_bytes(saved(Image.new("RGB", (64, 64), "red"), "JPEG"))


_COCO = {
    "images": [{"id": number, "file_name": key} for number, key in enumerate(dogs("inbox/"))],
    "annotations": [
        {"id": number, "image_id": number, "category_id": 1 + ("beagle" in key)}
        for number, key in enumerate(dogs("inbox/"))
    ],
    "categories": [{"id": 1, "name": "poodle"}, {"id": 2, "name": "beagle"}],
}

SOURCES: Mapping[str, Case] = {
    "odd files": Case(
        lambda: {
            **dogs(),
            **{f"poodle/{name}": make() for name, make in GOOD.items()},
            **{f"poodle/{name}": make() for name, (make, _) in BAD.items()},
        },
        rejected={f"poodle/{name}": reason.value for name, (_, reason) in BAD.items()},
    ),
    "odd entries": Case(
        dogs,
        entries=_odd_entries,
        rejected={
            "poodle/loop.jpg": "not-a-regular-file",
            "poodle/pipe.jpg": "not-a-regular-file",
            "poodle/socket.jpg": "not-a-regular-file",
            "poodle//K\\xf6nig.jpg": "unusable-name",
        },
    ),
    "an object that nobody may read": Case(
        lambda: {**dogs(), "poodle/locked.jpg": saved(draw("poodle", "black", 99), "JPEG")},
        denied="poodle/locked.jpg",
        rejected={"poodle/locked.jpg": "cannot-be-read"},
    ),
    "a manifest that nobody may read": Case(
        lambda: flat("key,label", *rows("{key},{breed}")),
        **manifest("The manifest labels in .* cannot be read .*give this user the right"),
        denied="labels",
    ),
    "bins and caches": Case(
        lambda: {
            **dogs(),
            **{
                f"{folder}/bin{number}.jpg": saved(draw("husky", "grey", number), "JPEG")
                for number, folder in enumerate(
                    (
                        ".Trash-1000/files",
                        "$RECYCLE.BIN",
                        "lost+found",
                        "poodle/@eaDir/a",
                        ".ipynb_checkpoints",
                        ".dvc/cache",
                        "#recycle",
                        ".thumbnails",
                    )
                )
            },
        },
    ),
    "splits as classes": Case(
        lambda: dogs("train/{breed}/") | {f"test/{key}": data for key, data in dogs().items()},
        status="waiting",
        reason="split/label",
    ),
    "two labels on near duplicates": Case(
        _two_labels,
        status="rejected",
        reason="label conflicts",
        settings={"gate": {"rules": ["label conflicts at most 0.05"], "needs": "no-harm", "serve_check": False}},
    ),
    "everything in conflict": Case(
        lambda: {f"{other}/{key}": data for other in CLASSES for key, data in dogs("").items()},
        status="waiting",
        reason="16 images under two labels",
    ),
    # Manifests.
    "key,label": Case(lambda: flat("key,label", *rows("{key},{breed}")), **manifest(status="promoted")),
    "semicolons, quotes and padding": Case(
        lambda: flat('"key";"label";"note, free, text"', *rows('"{key}";"{breed}";"a, b"'), ";;", ";;"),
        **manifest(status="promoted"),
    ),
    "carriage returns and a mark": Case(
        lambda: flat(("\ufeffkey\tlabel\r" + "".join(f"{row}\r" for row in rows("{key}\t{breed}"))).encode()),
        **manifest(status="promoted"),
    ),
    "a comma too many": Case(
        lambda: flat("key,label", *rows("{key},{breed}, golden")), **manifest(r"labels.*line 2|line 2.*fields")
    ),
    "a quote that never ends": Case(
        lambda: flat("key,label", 'inbox/poodle0.jpg,"poodle', *rows("{key},{breed}", 1)), **manifest("quote")
    ),
    "another name for the label": Case(
        lambda: flat("key,breed", *rows("{key},{breed}")), **manifest(r"labels\.column.*breed|breed.*labels\.column")
    ),
    "the column named": Case(
        lambda: flat("key,breed", *rows("{key},{breed}")), **manifest(status="promoted", column="breed")
    ),
    "a column twice": Case(
        lambda: flat("key,label,label", *rows("{key},{breed},{breed}")), **manifest("label.*(twice|two|again)")
    ),
    "a label column that nobody filled": Case(lambda: flat("key,label", *rows("{key},")), **manifest("label")),
    "ids without extension": Case(
        lambda: flat("id,breed", *(row.replace("inbox/", "").replace(".jpg", "") for row in rows("{key},{breed}"))),
        **manifest(status="promoted", column="breed", root="inbox"),
    ),
    "another folder's file names": Case(
        lambda: flat(
            json.dumps(
                [
                    {
                        "id": 1,
                        "data": {"image": "/data/local-files/?d=cats2025/poodle0.jpg"},
                        "annotations": [
                            {"result": [{"type": "choices", "from_name": "c", "value": {"choices": ["cat"]}}]}
                        ],
                    }
                ]
            )
        ),
        **manifest(status="waiting", reason=""),
        classes=(),
    ),
    "json-min": Case(
        lambda: flat(
            json.dumps(
                [
                    {"image": key, "batch": "spring", "id": 1, "breed": key[6:12], "annotator": 1, "lead_time": 3}
                    for key in dogs("inbox/")
                ]
            )
        ),
        **manifest("batch.*breed|breed.*batch"),
    ),
    "coco": Case(lambda: flat(json.dumps(_COCO)), **manifest(status="promoted")),
    "file_name and label": Case(
        lambda: flat(*rows('{{"file_name": "{key}", "label": "{breed}"}}')), **manifest(status="promoted")
    ),
    "brackets": Case(lambda: flat("[" * 200_000), **manifest("labels")),
    "half a letter": Case(
        lambda: flat(
            *rows('{{"key": "{key}", "label": "{breed}"}}', 1), '{"key": "inbox/poodle0.jpg", "label": "\\ud800"}'
        ),
        **manifest(status="promoted"),
        labels={"inbox/poodle0.jpg": None, "inbox/poodle1.jpg": "poodle"},
    ),
}

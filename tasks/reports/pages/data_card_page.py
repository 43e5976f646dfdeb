"""The data card as a page: what a dataset version holds, for people who would rather look than read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.domain.datasets.image_issues import summarize_duplicates
from tasks.domain.datasets.leakage import leakage_sentences
from tasks.domain.datasets.splits import Split
from tasks.reports.pages.template import render

#: So many pictures of each finding and of each kind of change are shown.
MOST = 12


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the page, and what is to be said of it."""

    image: str
    key: str
    words: str


@dataclass(frozen=True, slots=True)
class Part:
    """One finding or one kind of change: how many images there are, and those that are shown."""

    kind: str
    meaning: str
    total: int
    pictures: tuple[Picture, ...]


def list_pictured_images(card: Mapping[str, Any]) -> list[str]:
    """Name the images that the page shows, each once, sorted."""
    return sorted({picture.image for part in (*_findings(card), *_changes(card)) for picture in part.pictures})


def render_data_card(card: Mapping[str, Any], thumbnails: Mapping[str, str | None]) -> str:
    """Write the page of a data card as it is kept in JSON; thumbnails are ``data:`` addresses by image."""
    return render(
        "card.html.j2",
        card=card,
        thumbnails=thumbnails,
        likeness=summarize_duplicates(card),
        leakage=leakage_sentences(card),
        splits=[split.value for split in Split],
        most=max((class_card["images"] for class_card in card["classes"]), default=1),
        findings=_findings(card),
        changes=_changes(card),
    )


def _findings(card: Mapping[str, Any]) -> list[Part]:
    return [
        _part(
            finding["kind"],
            finding["meaning"],
            [(f"{image['label']}, {image['figure']}", image) for image in finding["images"]],
        )
        for finding in card["findings"]
    ]


def _changes(card: Mapping[str, Any]) -> list[Part]:
    kinds = ("relabelled", "removed", "added")
    return [_part(kind, "", [(change["what"], change) for change in card[kind]]) for kind in kinds if card[kind]]


def _part(kind: str, meaning: str, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> Part:
    pictures = tuple(Picture(entry["image"], entry["key"], words) for words, entry in entries[:MOST])
    return Part(kind, meaning, len(entries), pictures)

"""The data card as a page: what a dataset version holds, for people who would rather look than read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.domain.datasets.contradictions import likeness
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


def pictured(card: Mapping[str, Any]) -> list[str]:
    """Name the images that the page shows, each once, sorted."""
    return sorted({one.image for part in (*_findings(card), *_changes(card)) for one in part.pictures})


def card_page(card: Mapping[str, Any], thumbnails: Mapping[str, str | None]) -> str:
    """Write the page of a data card as it is kept in JSON; thumbnails are ``data:`` addresses by image."""
    return render(
        "card.html.j2",
        card=card,
        thumbnails=thumbnails,
        likeness=likeness(card),
        leakage=leakage_sentences(card),
        splits=[split.value for split in Split],
        most=max((one["images"] for one in card["classes"]), default=1),
        findings=_findings(card),
        changes=_changes(card),
    )


def _findings(card: Mapping[str, Any]) -> list[Part]:
    return [
        _part(one["kind"], one["meaning"], [(f"{found['label']}, {found['figure']}", found) for found in one["images"]])
        for one in card["findings"]
    ]


def _changes(card: Mapping[str, Any]) -> list[Part]:
    kinds = ("relabelled", "removed", "added")
    return [_part(kind, "", [(one["what"], one) for one in card[kind]]) for kind in kinds if card[kind]]


def _part(kind: str, meaning: str, found: Sequence[tuple[str, Mapping[str, Any]]]) -> Part:
    shown = tuple(Picture(one["image"], one["key"], words) for words, one in found[:MOST])
    return Part(kind, meaning, len(found), shown)

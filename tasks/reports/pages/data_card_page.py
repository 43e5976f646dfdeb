"""The data card as a web page: what a dataset version holds, with pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.domain.datasets.image_issues import summarize_duplicates
from tasks.domain.datasets.leakage import describe_leakage
from tasks.domain.datasets.measured_sample import describe_measured
from tasks.domain.datasets.splits import Split
from tasks.reports.pages.template import render

#: The most pictures of an issue or a kind of change.
MOST = 12


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of the page, and its caption."""

    image: str
    key: str
    words: str


@dataclass(frozen=True, slots=True)
class Part:
    """One issue or one kind of change: how many images it has, and those that are shown."""

    kind: str
    meaning: str
    total: int
    pictures: tuple[Picture, ...]


def list_pictured_images(card: Mapping[str, Any]) -> list[str]:
    """List the hashes of the images that the page shows, each once, sorted."""
    return sorted({picture.image for part in (*_findings(card), *_changes(card)) for picture in part.pictures})


def render_data_card(card: Mapping[str, Any], thumbnails: Mapping[str, str | None]) -> str:
    """Render the page of a data card.

    Args:
        card: The data card, as it is stored in JSON.
        thumbnails: ``data:`` addresses by image hash; None for an image that is not stored any more.

    Returns:
        The page as HTML.
    """
    return render(
        "card.html.j2",
        dataset_name=name_dataset(card),
        card=card,
        thumbnails=thumbnails,
        likeness=summarize_duplicates(card),
        leakage=describe_leakage(card),
        measured=describe_measured(card),
        splits=[split.value for split in Split],
        most=max((class_card["images"] for class_card in card["classes"]), default=1),
        findings=_findings(card),
        changes=_changes(card),
    )


def name_dataset(card: Mapping[str, Any]) -> str:
    """Return how people call a dataset version: by the minute in which its card was written, in UTC."""
    return f"Dataset of {card['written'][:16].replace('T', ' ')}"


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

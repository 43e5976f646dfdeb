"""Copies and look-alikes of a dataset version in one sentence, for where people look first."""

from collections.abc import Mapping
from typing import Any

from tasks.domain.contradictions import ALIKE
from tasks.domain.wording import count


def likeness(card: Mapping[str, Any]) -> str:
    """Say of a data card, as it is kept in JSON, how many objects are copies and how many images look like others."""
    contradictory = sum(len(finding["images"]) for finding in card["findings"] if finding["kind"] == ALIKE)
    parts = [
        f"{count(card['copies'], 'object is a copy', 'objects are copies')} of another, byte by byte",
        f"{count(card['alike'], 'image has', 'images have')} a look-alike, which shares the split",
    ]
    if contradictory:
        parts.append(f"{count(contradictory, 'image looks', 'images look')} like one under another label")
    return "; ".join(parts)

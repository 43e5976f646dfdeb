"""The index of decisions, from the pages that hold them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.servers import ROOT

DECISIONS = ROOT / "docs" / "explanation" / "decisions"
_HEADING = re.compile(r"^## (.+)\n(?:\*(\d{4}-\d\d-\d\d), accepted[;*])?", re.MULTILINE)
_SUPERSEDED = "Superseded"


@dataclass(frozen=True)
class DecisionEntry:
    """A decision as a heading of a page tells it; the date is empty where the line below the heading is none."""

    page: str
    title: str
    date: str

    @property
    def anchor(self) -> str:
        """The anchor that GitHub and the site give the heading."""
        return re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")


def find_decisions(page: str) -> Iterator[DecisionEntry]:
    """Yield the accepted decisions of a page, in its order."""
    for heading in _HEADING.finditer((DECISIONS / f"{page}.md").read_text(encoding="utf-8")):
        if heading[1] != _SUPERSEDED:
            yield DecisionEntry(page, heading[1], heading[2] or "")


def list_decisions(pages: Sequence[str]) -> str:
    """Return the decisions of those pages, each with its date and a link."""
    entries = [entry for page in pages for entry in find_decisions(page)]
    return "\n".join(f"- {entry.date} [{entry.title}]({entry.page}.md#{entry.anchor})" for entry in entries)

"""Links between the pages of one run: evaluation report, cards, and what changed since the champion."""

from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import dirname, relpath

from tasks.domain.runs.mlflow_names import CHANGES, DATA_CARD, MODEL_CARD, REPORT, SHADOW
from tasks.reports.pages.template import render

#: The title of each page by its file among the artifacts of a run, in the order in which people read them.
TITLES = {
    REPORT: "Evaluation report",
    CHANGES: "Changes since the champion",
    MODEL_CARD: "Model card",
    DATA_CARD: "Data card",
    SHADOW: "Live photographs",
}
# Each page has it where its links are to stand; page.html.j2 writes it.
_PLACEHOLDER = b"<!-- pages of the run -->"


@dataclass(frozen=True, slots=True)
class PageLink:
    """A link from a page to another: its title, its file in the run if it has one, and its address."""

    title: str
    file: str
    address: str


def link_pages(files: Mapping[str, bytes], addresses: Mapping[str, str], flow_run: str = "") -> dict[str, bytes]:
    """Link the pages of a run with each other.

    Args:
        files: Files of the run by their names, pages and others.
        addresses: The addresses of all pages of the run by their files; an empty one where MLflow has no pages, so that
            the link leads from file to file.
        flow_run: The address of the run in Prefect, where people review it; empty where there is none.

    Returns:
        The files; each page among them has links to the others.
    """
    return {
        file: text.replace(_PLACEHOLDER, _draw(_list_links(file, addresses, flow_run)), 1) if file in TITLES else text
        for file, text in files.items()
    }


def _list_links(page: str, addresses: Mapping[str, str], flow_run: str) -> list[PageLink]:
    links = [
        PageLink(title, file, addresses[file] or relpath(file, dirname(page)))
        for file, title in TITLES.items()
        if file in addresses and file != page
    ]
    return [*links, PageLink("The run in Prefect", "", flow_run)] if flow_run else links


def _draw(links: list[PageLink]) -> bytes:
    return render("run-pages.html.j2", links=links).encode() if links else b""

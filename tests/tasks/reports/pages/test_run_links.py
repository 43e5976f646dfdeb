"""What every page of a run has in common: its look, its links, and that it stands alone."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_diff import diff_versions
from tasks.reports.pages.data_card_page import render_data_card
from tasks.reports.pages.diff_page import render_version_diff
from tasks.reports.pages.evaluation_page import list_pictured_images, render_evaluation_report
from tasks.reports.pages.live_agreement_page import render_live_agreement
from tasks.reports.pages.model_card import build_model_card, render_card_html
from tasks.reports.pages.run_links import TITLES, link_pages
from tests.browser import find_axe_violations, needs_chromium, open_page
from tests.tasks.reports.pages.test_evaluation_page import small
from tests.tasks.reports.reports import GROWN, report

if TYPE_CHECKING:
    from playwright.sync_api import Page

LABELS = [f"a_breed_with_a_very_long_name_{number}_{'x' * 30}" for number in range(14)]
SPLITS = {"train": 6, "validation": 2, "test": 2}
SHARES = {f"a long value {number}": 0.125 for number in range(8)}
# Texts smaller than twelve pixels, also those in drawings, which are drawn larger or smaller than they say.
SMALL_TEXTS = """() => [...document.querySelectorAll("main *, header *, nav *")].filter((element) => {
    const has_text = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const scale = element.ownerSVGElement ? element.getScreenCTM().d : 1;
    const size = parseFloat(getComputedStyle(element).fontSize) * scale;
    return has_text && element.checkVisibility() && size > 0 && size < 11.99;
}).map((element) => element.outerHTML)"""
# As MLflow shows an HTML file: a blob in a sandbox, in which no link leads to a part of the page.
FRAME = """text => {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.style = "width: 1000px; height: 600px";
    frame.src = URL.createObjectURL(new Blob([text], {type: "text/html"}));
    document.body.append(frame);
    return new Promise((resolve) => { frame.onload = resolve; });
}"""


class Answers:
    """Takes the place of a comparison on live photographs."""

    def to_dict(self, champion: Mapping[str, Any], challenger: Mapping[str, Any]) -> dict[str, Any]:
        """Return that the models differ on half of the photographs."""
        counts = {"answers": 4, "agreed": 2, "disagreement": 0.5, "both_sure_different": 1}
        part = {"label": LABELS[0], "answers": 4, "agreed": 2, "instead": LABELS[1]}
        disputed = {"image": "a" * 64, "champion": LABELS[0], "challenger": LABELS[1], "both_sure": True}
        return {"champion": champion, "challenger": challenger, **counts, "classes": [part], "disputed": [disputed]}


def _data_card() -> dict[str, Any]:
    balance = {"attribute": "coat", "origins": ["folder"], "values": list(SHARES)}
    figures = {"counts": dict.fromkeys(SHARES, 1), "shares": SHARES, "distance": 0.1, "lacking": ["a long value 2"]}
    change = {"image": "b" * 64, "key": "pug/1.jpg", "what": "pug"}
    facts: dict[str, Any] = {"dataset": "d" * 64, "parent": "e" * 64, "written": "2026-11-29T02:08:00+00:00"}
    facts |= {"images": 140, "warnings": ["look"], "waiting": ["pug"], "passed_over": {"bin": 1}, "added": [change]}
    facts |= {"copies": 0, "alike": 0, "removed": [], "relabelled": [], "measured": 140}
    facts["classes"] = [{"label": label, "images": 10, "splits": SPLITS} for label in LABELS]
    facts["balances"] = [balance | {"classes": [{"label": label, **figures} for label in LABELS]}]
    facts["findings"] = [
        {"kind": "dark", "meaning": "few see it", "images": [change | {"label": "pug", "figure": "0.1"}]}
    ]
    absent = {"key": "pug/2.jpg", "detail": "no picture"}
    return facts | {"missing": [{"reason": "not-a-picture", "images": 1, "first": [absent]}]}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Write all pages of a run, linked with each other, and return their addresses by their files."""
    folder = tmp_path_factory.mktemp("run")
    evaluated = replace(report(LABELS, 400), curves=GROWN, registered="dogs version 3")
    rows = [Row("a", LABELS[0], Split.TRAIN, (), "a.jpg"), Row("b", LABELS[1], Split.TEST, (), "b.jpg")]
    diff = diff_versions(rows[:1], rows[1:])
    names = ("dogs version 2", "dogs version 3")
    champion, challenger = ({"version": str(number), "head": f"{number}" * 64} for number in (2, 3))
    written = {
        "evaluation/report.html": render_evaluation_report(
            evaluated, dict.fromkeys(list_pictured_images(evaluated), small())
        ),
        "evaluation/since-champion.html": render_version_diff("1" * 64, "2" * 64, diff, {}, None, names),
        "evaluation/model-card.html": render_card_html(
            "Model card: dogs version 3", build_model_card(evaluated, "../dataset/card.html")
        ),
        "dataset/card.html": render_data_card(_data_card(), {}),
        "live/shadow.html": render_live_agreement(Answers(), champion, challenger, share=0.5),
    }
    files = link_pages(
        {file: text.encode() for file, text in written.items()}, dict.fromkeys(TITLES, ""), "http://prefect/run"
    )
    for file, text in files.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(text)
    return {file: (folder / file).as_uri() for file in files}


def test_each_page_leads_to_all_others(pages: Mapping[str, str]) -> None:
    """From file to file where MLflow has no pages, and never to itself; the title names no hash."""
    for file, address in pages.items():
        path = Path(address.removeprefix("file://"))
        text = path.read_text()
        links = re.findall(r'<a href="(\.\.?/[^"]+|[a-z-]+\.html)" target="_blank" title', text)
        linked = {(path.parent / link).resolve() for link in links}
        assert linked == {Path(other.removeprefix("file://")) for other in pages.values()} - {path}
        assert '<a href="http://prefect/run" target="_blank">The run in Prefect</a>' in text
        title = re.findall("<title>(.*)</title>", text)[0]
        assert not re.search("[0-9a-f]{12}", title), file
        assert re.search("version [23]|2026-11-29", title)


def test_a_page_of_mlflow_is_linked_where_there_is_one() -> None:
    """An address of MLflow takes the place of a relative one; what is no page is left alone."""
    text = render_data_card(_data_card(), {}).encode()
    files = {"dataset/card.html": text, "dataset/card.json": b"<!-- pages of the run -->"}
    linked = link_pages(files, {"dataset/card.html": "http://x/1", "evaluation/report.html": "http://x/2"})
    assert b'href="http://x/2"' in linked["dataset/card.html"]
    assert b"http://x/1" not in linked["dataset/card.html"]
    assert linked["dataset/card.json"] == files["dataset/card.json"]
    assert link_pages(files, {"dataset/card.html": ""})["dataset/card.html"] == text.replace(
        b"<!-- pages of the run -->", b""
    )


@needs_chromium
def test_nobody_is_kept_out_of_any_page(pages: Mapping[str, str]) -> None:
    """At a desk and on a phone, in light and in dark: axe is content, nothing is too wide, small, or from elsewhere."""
    requests: list[str] = []
    with open_page("about:blank", width=1280, height=900) as page:
        page.on("request", lambda request: requests.append(request.url))
        for address in pages.values():
            page.goto(address)
            for width in (1280, 390):
                page.set_viewport_size({"width": width, "height": 844})
                grounds = {_look_at(page, scheme, width) for scheme in ("light", "dark")}
                assert len(grounds) == 2
        _check_contents(page, pages["evaluation/model-card.html"])
    assert not [url for url in requests if not url.startswith(("file:", "data:", "blob:", "about:"))]


def _look_at(page: "Page", scheme: str, width: int) -> str:
    """Check what axe finds, and return the colour of the ground."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    assert find_axe_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(SMALL_TEXTS) == []
    assert page.locator(".toc summary").is_visible() == (width == 390 and page.locator(".toc").count() > 0)
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def _check_contents(page: "Page", address: str) -> None:
    """Check that the table of contents leads on by keyboard, and by a click also in a frame such as MLflow's."""
    page.set_viewport_size({"width": 1280, "height": 600})
    page.goto(address)
    last = page.locator(".toc a").last
    last.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("scrollY") > 0
    text = Path(address.removeprefix("file://")).read_text()
    page.goto("about:blank")
    page.evaluate(FRAME, text)
    frame = page.frames[-1]
    frame.locator(".toc summary").click()
    frame.locator(".toc .jump").last.click()
    assert frame.evaluate("scrollY") > 0

"""What strangers write, as class names and keys, on every page and in every artifact: text, and nothing but text."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from configs.visible_text import visible
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_diff import diff_versions
from tasks.reports.pages.data_card_page import render_data_card
from tasks.reports.pages.diff_page import render_version_diff
from tasks.reports.pages.evaluation_page import render_evaluation_report
from tasks.reports.pages.hub_card import render_card_markdown
from tasks.reports.pages.model_card import build_model_card, render_card_html
from tasks.reports.prefect_ui import artifacts
from tasks.stores.store import Store
from tests.browser import needs_chromium, open_page
from tests.flows.cli.test_app import pedigree
from tests.flows.stored_runs import photographs, write_run
from tests.tasks.reports.reports import report

ANSI = "\x1b]0;pwned\x07\x1b[31mred\x1b[0m"
TURNED = "cat\u202egpj"
PICTURE = "[click me](http://evil) ![t](http://evil/track.png)"
CODE = "<img src=http://evil/track.png onerror=alert(1)>"
WICKED = (f"{ANSI}{TURNED}", PICTURE, f"{CODE}|\n# head `x`")
HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


@pytest.fixture(scope="module")
def card(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Read the data card of a real store whose classes and keys are called by wicked names."""
    store = str(tmp_path_factory.mktemp("store"))
    written = json.dumps(Store(store).data_cards.read(write_run(store, photographs(photos, breeds=3, images=5))))
    for breed, name in zip(sorted({key.split("/")[0] for key in photographs(photos, 3, 1)}), WICKED, strict=True):
        written = written.replace(breed, json.dumps(name)[1:-1])
    facts: Mapping[str, Any] = json.loads(written)
    stored_card = {"written": "2026-11-24T02:00:00+00:00", "copies": 0, "alike": 0, "labels": "x", "manifest": None}
    stored_card |= {"passed_over": {PICTURE: 2}}
    return {**facts, **stored_card, "warnings": [f"the class {name} is small" for name in WICKED]}


def pages(card: Mapping[str, Any]) -> dict[str, str]:
    """Make every kind of page there is, with wicked names on it."""
    evaluated, thumbnail = report(WICKED, 60), "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
    rows = [Row(f"{n:064x}", name, Split.TEST, (("coat", name),), f"{name}/1.jpg") for n, name in enumerate(WICKED)]
    pictures = dict.fromkeys([row.image for row in rows], thumbnail)
    sections = build_model_card(evaluated, "../dataset/card.html")
    return {
        "card": render_data_card(card, {}),
        "diff": render_version_diff("1" * 64, "2" * 64, diff_versions([], rows), pictures),
        "evaluation": render_evaluation_report(evaluated, {}),
        "model card": render_card_html("Model card", sections),
    }


KINDS = ["card", "diff", "evaluation", "model card"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_holds_names_as_text_and_hides_nothing(card: Mapping[str, Any], kind: str) -> None:
    """No name is part of a page's code, and no character on it does anything to who reads it or its source."""
    page = pages(card)[kind]
    assert "<img src=http" not in page
    assert not HIDDEN.search(page)
    assert r"\x1b]0;pwned\x07" in page


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Listen on this machine as whoever wants to know who looks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


@needs_chromium
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_loads_nothing_whatever_gets_into_it(
    card: Mapping[str, Any], kind: str, tmp_path: Path, listening: socket.socket
) -> None:
    """The page shows without a complaint; a picture, style, frame, font or script that got into it fetches nothing."""
    page_file, address = tmp_path / "page.html", f"http://127.0.0.1:{listening.getsockname()[1]}"
    text = pages(card)[kind]
    page_file.write_text(text, encoding="utf-8")
    complaints: list[str] = []
    with open_page("about:blank") as page:
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(page_file.as_uri())
        assert page.evaluate("document.body.innerText.length") > 100
        assert page.evaluate("getComputedStyle(document.body).maxWidth") != "none"
        assert complaints == []
        injected = (
            f'<img src="{address}/a.png"><style>body {{ background: url({address}/b.png) }}</style>'
            f'<link rel="stylesheet" href="{address}/c.css"><iframe src="{address}/d"></iframe>'
            f'<script src="{address}/e.js"></script><script>document.title = "ran"</script>'
        )
        page_file.write_text(text.replace("</body>", f"{injected}</body>"), encoding="utf-8")
        page.reload()
        assert page.title() != "ran"
        assert len(complaints) >= 5
    assert receive(listening) == b""


def receive(listener: socket.socket) -> bytes:
    """Read what has been asked of a listener; a browser may open a connection and ask nothing over it."""
    receive = b""
    with suppress(BlockingIOError):
        while True:
            connection, _ = listener.accept()
            connection.settimeout(5)
            with connection, suppress(TimeoutError):
                receive += connection.recv(1000)
    return receive


class Published:
    """Takes Prefect's place, and keeps what would be published."""

    def __init__(self) -> None:
        """Nothing is published yet."""
        self.texts: list[str] = []

    def __call__(self, text: str, *, description: str, **_options: object) -> None:
        """Keep the Markdown and its description, which Prefect's page shows as Markdown too."""
        self.texts += [text, description]


def parsed(text: str) -> set[str]:
    """Name what Markdown makes of a text, besides plain text."""
    tokens = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(text)
    inner = [child for token in tokens for child in token.children or []]
    links = {f"link to {token.attrs['href']}" for token in inner if token.type == "link_open"}
    tags = {token.content for token in inner if token.type == "html_inline"}
    return links | tags | {token.type for token in (*tokens, *inner)} - {"link_open", "html_inline"}


def test_an_artifact_of_prefect_holds_names_as_text(card: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """No name becomes a link, a picture, HTML or another row, in the data card, the evaluation and the damage."""
    published = Published()
    monkeypatch.setattr("prefect.artifacts.create_markdown_artifact", published)
    evaluated = report(WICKED, 60, rules=["recall of any slice at least 0.9"])
    artifacts.show_data_card(card, "/somewhere/card.html")
    artifacts.show_evaluation(evaluated.challenger.verdict, "run", {})
    artifacts.show_damage(f"{PICTURE} was looked at", [(name, name, name) for name in WICKED])
    for text in published.texts:
        kinds = parsed(text)
        # Lines within a cell are broken by the table itself.
        assert not {kind for kind in kinds - {"<br>"} if re.match("image|html|<|fence|code_block|s_open", kind)}, text
        assert {kind for kind in kinds if kind.startswith("link to")} <= {"link to file:///somewhere/card.html"}
        assert not HIDDEN.search(text)
    assert "click me" in published.texts[0]
    rows = [line for line in published.texts[0].splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(WICKED)


def test_the_model_card_holds_names_as_text(card: Mapping[str, Any]) -> None:
    """The card that MLflow keeps as Markdown has one link, its own, whatever the classes are called."""
    del card
    text = render_card_markdown("Model card", build_model_card(report(WICKED, 60), "../dataset/card.html"))
    kinds = parsed(text)
    assert not {kind for kind in kinds if re.match("image|html|<|fence|code_block", kind)}
    assert {kind for kind in kinds if kind.startswith("link to")} == {"link to ../dataset/card.html"}
    assert not HIDDEN.search(text)


def test_commands_show_what_a_name_hides(photos: Path, tmp_path: Path) -> None:
    """On a screen a class that clears it, a key of two lines and an odd file are read as they are; --json is exact."""
    store = str(tmp_path / "store")
    objects = {f"{ANSI}/{key.split('/')[1]}": data for key, data in photographs(photos, 1, 5).items()}
    odd = {"\x1b[2Jesc.jpg": b"woof", f"{TURNED}/a\nb: fine.jpg": b"woof", "[red]x[/red]/[/].jpg": b"woof"}
    write_run(store, {**objects, **odd})
    shown, rejected = (
        pedigree("data", *command, "--store", store) for command in (["show", "latest"], ["rejects", "latest"])
    )
    assert (shown.returncode, rejected.returncode) == (0, 0)
    assert not HIDDEN.search(shown.stdout + rejected.stdout)
    assert visible(ANSI) in shown.stdout
    unbroken = "".join(rejected.stdout.split())
    for key in odd:
        assert "".join(visible(key).split()) in unbroken
    exact = pedigree("data", "rejects", "latest", "--store", store, "--json")
    assert not HIDDEN.search(exact.stdout)
    assert {exclusion["key"] for exclusion in json.loads(exact.stdout)["absent"]} >= set(odd)

"""The documentation as a site: it builds without a warning, asks nobody for anything, and can be read by everyone."""

import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Literal

import pytest

from tests.browser import find_axe_violations, needs_chromium, open_page
from tests.servers import ROOT

# One of each kind, and none of the long ones, over which axe takes a minute: front page, index, prose, tables.
_PAGES = ("README.md", "docs/README.md", "docs/how-to/deployments.md", "docs/reference/outcomes.md")
_SCREENS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((1280, "light"), (390, "dark"))


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that it has there
        """Keep what was asked for to itself."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as make docs does: every warning, broken link and missing anchor is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = ["-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-c", "docs", "-d", str(folder / "read")]
    built = subprocess.run(  # noqa: S603
        [sys.executable, *command, ".", str(folder / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stderr) == (0, "")
    return folder / "html"


def test_each_page_is_on_the_site_and_in_its_sidebar(site: Path) -> None:
    """Each Markdown page of docs/ and beside it is on the site, and the front page's sidebar leads to it."""
    pages = [*ROOT.glob("*.md"), *(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)]
    names = {_address(page.relative_to(ROOT).as_posix()) for page in pages}
    assert {name for name in names if not (site / name).is_file()} == set()
    front = (site / "index.html").read_text(encoding="utf-8")
    assert {name for name in names - {"index.html"} if f'href="{name}"' not in front} == set()


def _address(page: str) -> str:
    """Return where a page stands on the site."""
    return page.replace("README", "index").removesuffix(".md") + ".html"


@needs_chromium
def test_pages_load_nothing_from_elsewhere_and_axe_finds_nothing(site: Path) -> None:
    """On a wide light and a narrow dark screen axe finds nothing, no page is too wide, and no other place is asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}/"
    asked: set[str] = set()
    findings = []
    with open_page(origin) as page:
        page.on("request", lambda request: asked.add(request.url))
        for name in (*map(_address, _PAGES), "search.html?q=ledger"):
            page.goto(origin + name)
            findings += [] if page.locator("h1").count() == 1 else [f"{name} has not one heading of the first order"]
            for width, scheme in _SCREENS:
                page.set_viewport_size({"width": width, "height": 900})
                page.emulate_media(color_scheme=scheme)
                findings += [f"{name} {width} {scheme} {finding}" for finding in find_axe_violations(page)]
                wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
                findings += [f"{name} is wider than {width}"] if wide else []
    server.shutdown()
    server.server_close()
    assert findings == []
    assert {url for url in asked if not url.startswith(origin)} == set()

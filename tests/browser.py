"""A real browser without a screen, to look at pages as their users do."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import CHROMIUM, missing_programs

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Chromium runs as root in CI, has no graphics card, and would look up its maker's hosts at every start.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = pytest.mark.skipif(bool(missing_programs([CHROMIUM])), reason="pages need Debian's chromium")


def log_in(page: "Page", links: Mapping[str, str]) -> None:
    """Follow the links that log in once, as who ran ``pedigree open`` does."""
    for link in links.values():
        page.goto(link)
        page.wait_for_url(lambda url: "/pedigree/open" not in url, timeout=60_000)


def find_axe_violations(page: "Page") -> list[str]:
    """List what axe finds that keeps people out: each rule with the element that breaks it."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
    violations = page.evaluate("axe.run()")["violations"]
    return [f"{violation['id']}: {node['html']}" for violation in violations for node in violation["nodes"]]


@contextmanager
def open_page(url: str, width: int = 1280, height: int = 1600, **options: Any) -> Iterator["Page"]:  # noqa: ANN401
    """Open an address in a new window of so many pixels, with Playwright's options such as color_scheme."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height}, **options)
        page.goto(url)
        yield page
        browser.close()

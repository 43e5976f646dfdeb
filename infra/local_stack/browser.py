"""Opening the pages of the local servers in the browser of this machine."""

import os
import sys
import webbrowser
from collections.abc import Mapping
from html import escape
from pathlib import Path

_PAGE = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={link}">'


def open_in_browser(home: Path, pages: Mapping[str, str]) -> bool:
    """Open pages in the browser, where this machine has a screen.

    Other users can read the arguments of a browser, so it gets the name of a file that only its owner can read.

    Args:
        home: The home folder.
        pages: The links by name.

    Returns:
        Whether all of them were opened.
    """
    if not (sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    files = [_redirect(home / "stack" / f"open-{name}.html", link) for name, link in pages.items()]
    return all([webbrowser.open(file.as_uri()) for file in files])  # noqa: C419 - each, also after one that failed


def _redirect(file: Path, link: str) -> Path:
    file.touch(mode=0o600)
    file.write_text(_PAGE.format(link=escape(link)), encoding="utf-8")
    return file

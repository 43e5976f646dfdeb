"""Opening the pages of the local servers in the browser of whoever started them, already logged in."""

import os
import sys
import webbrowser
from collections.abc import Mapping
from html import escape
from pathlib import Path

from configs.credentials import password, prefect_login
from configs.errors import PedigreeError
from infra import stack
from infra.local_stack import health
from infra.local_stack.guard import LINK

_PAGE = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={link}">'


def links(home: Path) -> dict[str, str]:
    """Make a link for each server's pages that logs in once; where a team has passwords, the pages ask for theirs.

    Raises:
        PedigreeError: A server does not run.
    """
    addresses = {"prefect": stack.prefect_api(home).removesuffix("/api"), "mlflow": stack.mlflow_pages(home)}
    if not all(addresses.values()):
        raise PedigreeError("Prefect or MLflow does not run here: start both by pedigree up.")
    if not password(home):
        return addresses
    return {name: url + health.ask_for_link(url + LINK, prefect_login(home, url)) for name, url in addresses.items()}


def show(home: Path, pages: Mapping[str, str]) -> bool:
    """Open the pages where this machine has a screen, and tell whether they were.

    Everybody here can read the arguments of a browser, so it gets the name of a file that only its owner can read.
    """
    if not (sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    files = [_redirect(home / "stack" / f"open-{name}.html", link) for name, link in pages.items()]
    return all([webbrowser.open(file.as_uri()) for file in files])  # noqa: C419 - each, also after one that failed


def _redirect(file: Path, link: str) -> Path:
    file.touch(mode=0o600)
    file.write_text(_PAGE.format(link=escape(link)), encoding="utf-8")
    return file

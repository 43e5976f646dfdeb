"""What each wheel holds beside the packages: the commit that it was built from, and the pages of the documentation."""

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PAGES = (".md", ".png", ".svg")


class WheelHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds ``configs/commit.json`` and ``flows/docs/``; an editable installation has its checkout for both."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files before the wheel is written.

        Args:
            version: ``standard``, or ``editable``.
            build_data: What hatchling takes from its hooks.
        """
        if version == "editable":
            return
        added, docs = build_data["force_include"], Path(self.root, "docs")
        # What begins with an underscore belongs to the site that is built from the pages.
        for page in (page for room in docs.glob("[!_]*") for page in (room, *room.rglob("*"))):
            if page.suffix in _PAGES:
                added[str(page)] = f"flows/docs/{page.relative_to(docs).as_posix()}"
        if commit := self._commit():
            self._folder = TemporaryDirectory()
            file = Path(self._folder.name, "commit.json")
            file.write_text(json.dumps(commit), encoding="utf-8")
            added[str(file)] = "configs/commit.json"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - as its base has it
        """Remove the file that was only written for the wheel.

        Args:
            version: ``standard``, or ``editable``.
            build_data: What hatchling takes from its hooks.
            artifact_path: The wheel.
        """
        if hasattr(self, "_folder"):
            self._folder.cleanup()

    def _commit(self) -> dict[str, str]:
        """Return the commit that PEDIGREE_COMMIT names, as where an image is built, or else that of the checkout."""
        if named := os.environ.get("PEDIGREE_COMMIT"):
            return {"git_commit": named, "git_dirty": "no"}
        if not Path(self.root, ".git").exists():
            return {}
        return {
            "git_commit": self._git("rev-parse", "HEAD"),
            "git_dirty": "yes" if self._git("status", "--porcelain") else "no",
        }

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", self.root, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - our own words

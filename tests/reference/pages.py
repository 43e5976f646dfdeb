"""Pages with generated parts between markers: ``<!-- reference: commands up -->`` and ``<!-- /reference -->``."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.reference.commands import describe_commands, describe_shared_options
from tests.reference.decisions import list_decisions
from tests.reference.prometheus import list_prometheus_metrics
from tests.reference.settings import list_settings
from tests.reference.tracking import list_tracked_names
from tests.servers import ROOT

_PART = re.compile(r"(<!-- reference: (\w+)([^>]*?) -->\n).*?(<!-- /reference -->)", re.DOTALL)
#: What writes a part, by the word in its marker; it is handed the words that follow there.
PARTS: dict[str, Callable[[Sequence[str]], str]] = {
    "commands": describe_commands,
    "decisions": list_decisions,
    "options": describe_shared_options,
    "prometheus": list_prometheus_metrics,
    "settings": list_settings,
    "tracking": list_tracked_names,
}


def render_page(text: str) -> str:
    """Return a page with its generated parts as the code has them today."""
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]](part[3].split())}\n\n{part[4]}", text)


def find_parts(page: Path) -> list[tuple[str, list[str]]]:
    """List the generated parts of a page: the kind of each, and the words that follow in its marker."""
    return [(part[2], part[3].split()) for part in _PART.finditer(page.read_text(encoding="utf-8"))]


def find_pages() -> list[Path]:
    """List the pages under docs/ that have generated parts."""
    pages = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
    return [page for page in pages if find_parts(page)]


def write_pages() -> list[Path]:
    """Write the generated parts of every page again, and return the pages that changed."""
    changed = []
    for page in find_pages():
        text = page.read_text(encoding="utf-8")
        if render_page(text) != text:
            page.write_text(render_page(text), encoding="utf-8")
            changed.append(page)
    return changed

"""Web pages that need nothing but themselves: one file, light or dark as its reader likes, from a phone on."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from configs.visible_text import visible

_TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, **facts: object) -> str:
    """Fill a template of ``tasks/reports/templates`` with facts; every text in them is escaped."""
    return _environment().get_template(template).render(**facts)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalized,
    )


def _finalized(fact: object) -> object:
    """Show what is hidden in a text; what is HTML already is made by a template of ours from such texts."""
    return visible(fact) if type(fact) is str else fact

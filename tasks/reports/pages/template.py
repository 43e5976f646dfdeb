"""Web pages from templates: each is one file without scripts, in light or dark colours, that also fits a phone."""

import base64
import html
import io
import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from configs.visible_text import visible
from tasks.domain.images.preprocessing import Limits, open_picture
from tasks.domain.images.rejections import Rejection

_TEMPLATES = Path(__file__).parents[1] / "templates"


def render(template: str, **facts: object) -> str:
    """Render a template of ``tasks/reports/templates``; every text in it is escaped.

    Args:
        template: The file name of the template.
        **facts: The variables of the template.

    Returns:
        The page.
    """
    return open_templates(_TEMPLATES).get_template(template).render(**facts)


def read_style() -> bytes:
    """Read the style sheet that all pages have in common."""
    return (_TEMPLATES / "style.css").read_bytes()


@cache
def open_templates(folder: Path) -> Environment:
    """Open a folder of templates, in which every text is escaped and a variable that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalized,
    )
    environment.filters |= {"list_headings": list_headings, "read_share": read_share}
    return environment


_HEADING = re.compile(r'<h2 id="([^"]+)">(.*?)</h2>', re.DOTALL)
_TAG = re.compile("<[^>]*>")


def list_headings(body: str) -> list[tuple[str, str]]:
    """List the parts of a page for its table of contents, each as its anchor and its title."""
    return [(anchor, html.unescape(_TAG.sub("", str(title)))) for anchor, title in _HEADING.findall(str(body))]


def read_share(figure: str) -> float | None:
    """Read a share between 0 and 1 from a cell of a table; None where the cell holds something else."""
    try:
        share = float(figure)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None


def _finalized(fact: object) -> object:
    """Escape invisible characters of a text; HTML comes from another template, where that was done already."""
    return visible(fact) if type(fact) is str else fact


_SIDE = 96
# More bytes than any settings allow, and about the pixels above which Pillow raises an error.
_LIMITS = Limits(max_bytes=2**30, max_pixels=170_000_000, min_side=1)


def make_thumbnail(data: bytes) -> str | None:
    """Create the data: address of a JPEG with sides of at most 96 pixels; None where the bytes cannot be decoded."""
    small = shrink_picture(data, _SIDE)
    return f"data:image/jpeg;base64,{base64.b64encode(small).decode()}" if small else None


def shrink_picture(data: bytes, side: int) -> bytes | None:
    """Shrink a picture for a page.

    Args:
        data: The bytes of its file.
        side: The longest side, in pixels.

    Returns:
        A JPEG file; None where the bytes cannot be decoded.
    """
    picture = open_picture(data, _LIMITS)
    if isinstance(picture, Rejection):
        return None
    small = picture.image.copy()
    small.thumbnail((side, side), Image.Resampling.BICUBIC)
    sink = io.BytesIO()
    small.save(sink, "JPEG", quality=80)
    return sink.getvalue()

"""The command ``pedigree docs``: the pages that help and messages name, also where there is no checkout."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from configs.errors import PedigreeError
from flows.cli.terminal import Json, print_answer, report_errors

app = typer.Typer()
_ROOT = Path(__file__).parents[3]
_INDEX = "README"


def docs_folder() -> Path:
    """Return the folder of the pages: the one that a wheel brings, or that of the checkout."""
    brought = _ROOT / "flows" / "docs"
    return brought if brought.is_dir() else _ROOT / "docs"


def list_pages() -> dict[str, Path]:
    """Return each page by its name, such as ``how-to/s3``."""
    folder = docs_folder()
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.md"))}


def complete_page(incomplete: str) -> list[str]:
    """Return the pages whose names begin with these letters, for the shell to complete."""
    return [name for name in list_pages() if name.startswith(incomplete)]


@app.command(rich_help_panel="First steps")
def docs(
    page: Annotated[
        str,
        typer.Argument(metavar="PAGE", help="Such as docs/how-to/s3.md, or s3.", autocompletion=complete_page),
    ] = _INDEX,
    as_json: Json = False,
) -> None:
    """Show a page of the documentation at the terminal, or the index of all pages."""
    with report_errors():
        from rich.markdown import Markdown

        path = find_page(page)
        text = path.read_text(encoding="utf-8")
        print_answer({"page": str(path), "text": text}, as_json, Markdown(text, hyperlinks=False), paged=True)


def find_page(name: str) -> Path:
    """Find a page by its path in ``docs/``, with or without the ending, or by its last word.

    Args:
        name: What a person typed, or copied from a message.

    Returns:
        The file.

    Raises:
        PedigreeError: No page has that name, or several have it.
    """
    pages, stem = list_pages(), name.removeprefix("docs/").partition("#")[0].removesuffix(".md")
    fitting = [page for page in pages if page == stem] or [page for page in pages if page.endswith(f"/{stem}")]
    if len(fitting) == 1:
        return pages[fitting[0]]
    near = fitting or get_close_matches(stem, pages, n=3, cutoff=0.4)
    candidates = f": did you mean {', '.join(near)}?" if near else "; pedigree docs lists all."
    raise PedigreeError(f"The documentation has no single page {name}{candidates}")

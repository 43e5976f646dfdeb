"""Every picture of the documentation is made by a command, and stands on a page."""

from tests.pictures import DRAWINGS, IMAGES, OTHERS, SCREENS
from tests.servers import ROOT


def test_every_picture_is_made_by_the_command() -> None:
    """The files in docs/images are those that ``make pictures`` writes, and the drawings that it leaves alone."""
    assert {file.name for file in IMAGES.iterdir()} == {*SCREENS, *OTHERS, *DRAWINGS}


def test_every_picture_stands_on_a_page() -> None:
    """Each picture is shown by a page, so that none is made for nobody."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert [file.name for file in IMAGES.iterdir() if f"images/{file.name})" not in text] == []

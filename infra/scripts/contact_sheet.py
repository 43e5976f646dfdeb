"""A contact sheet of drawn dogs: ``python -m infra.scripts.contact_sheet FILE`` writes it."""

import sys
from pathlib import Path

from PIL import Image

from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw


def draw_contact_sheet(breeds: tuple[str, ...], side: int = 144) -> Image.Image:
    """Draw a picture with a row for each breed and a column for each coat.

    Args:
        breeds: The breeds from top to bottom.
        side: Width and height of each dog's picture, in pixels.

    Returns:
        The picture.
    """
    page = Image.new("RGB", (side * len(COATS), side * len(breeds)))
    for row, breed in enumerate(breeds):
        for column, coat in enumerate(COATS):
            page.paste(draw(breed, coat, row, side), (column * side, row * side))
    return page


if __name__ == "__main__":
    draw_contact_sheet(BREEDS).quantize(256).save(Path(sys.argv[1]), optimize=True)

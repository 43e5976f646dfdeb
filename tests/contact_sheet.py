"""A contact sheet of drawn dogs."""

from PIL import Image

from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw

_SIDE = 144  # pixels of each dog's picture


def draw_contact_sheet() -> Image.Image:
    """Draw a picture with a row for each breed and a column for each coat."""
    page = Image.new("RGB", (_SIDE * len(COATS), _SIDE * len(BREEDS)))
    for row, breed in enumerate(BREEDS):
        for column, coat in enumerate(COATS):
            page.paste(draw(breed, coat, row, _SIDE), (column * _SIDE, row * _SIDE))
    return page

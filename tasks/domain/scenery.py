"""The places where drawn dogs stand: a meadow, a room, a beach, a street, each full of things."""

import colorsys
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Random = np.random.Generator


def colour(
    random: Random, hue: tuple[float, float], strength: tuple[float, float], light: tuple[float, float]
) -> Colour:
    """Draw a colour from ranges of hue, saturation and value, each between 0 and 1."""
    parts = colorsys.hsv_to_rgb(random.uniform(*hue) % 1, random.uniform(*strength), random.uniform(*light))
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue


def scene(random: Random, side: int) -> tuple[Image.Image, float]:
    """Paint a cluttered background; also return how high its ground lies, as a share of the side from the top."""
    image = Image.new("RGB", (side, side))
    draw = ImageDraw.Draw(image)
    horizon = random.uniform(0.45, 0.66)
    wall, ground = _GROUNDS[random.integers(len(_GROUNDS))](random)
    draw.rectangle((0, 0, side, side), fill=wall)
    draw.rectangle((0, horizon * side, side, side), fill=ground)
    for _ in range(random.integers(3, 7)):
        _THINGS[random.integers(len(_THINGS))](random, draw, side, horizon)
    return image, random.uniform(max(horizon + 0.12, 0.74), 0.93)


def _meadow(random: Random) -> tuple[Colour, Colour]:
    return colour(random, (0.52, 0.62), (0.15, 0.5), (0.75, 1)), colour(random, (0.22, 0.38), (0.35, 0.7), (0.4, 0.8))


def _room(random: Random) -> tuple[Colour, Colour]:
    return colour(random, (0, 1), (0.05, 0.35), (0.55, 0.95)), colour(random, (0.05, 0.12), (0.2, 0.6), (0.35, 0.75))


def _beach(random: Random) -> tuple[Colour, Colour]:
    return colour(random, (0.5, 0.6), (0.3, 0.6), (0.7, 0.95)), colour(random, (0.1, 0.15), (0.2, 0.45), (0.75, 0.95))


def _snow(random: Random) -> tuple[Colour, Colour]:
    return colour(random, (0.55, 0.7), (0.05, 0.3), (0.5, 0.9)), colour(random, (0.5, 0.65), (0, 0.1), (0.85, 1))


def _tree(random: Random, draw: ImageDraw.ImageDraw, side: int, horizon: float) -> None:
    x, width, top = random.uniform(0, side), random.uniform(0.03, 0.07) * side, random.uniform(0.02, 0.3) * side
    draw.rectangle(
        (x - width / 2, top, x + width / 2, horizon * side + 3),
        fill=colour(random, (0.05, 0.1), (0.4, 0.7), (0.25, 0.5)),
    )
    leaves = colour(random, (0.2, 0.42), (0.4, 0.8), (0.3, 0.7))
    for _ in range(5):
        _blob(draw, (x + random.normal(0, 0.07) * side, top + random.normal(0, 0.05) * side), 0.09 * side, leaves)


def _fence(random: Random, draw: ImageDraw.ImageDraw, side: int, horizon: float) -> None:
    wood, step = colour(random, (0.05, 0.12), (0, 0.5), (0.5, 1)), random.uniform(0.06, 0.1) * side
    bottom, top = horizon * side + 0.04 * side, horizon * side - random.uniform(0.1, 0.2) * side
    for x in np.arange(random.uniform(0, step), side, step):
        draw.rectangle((x, top, x + step * 0.4, bottom), fill=wood)
    draw.rectangle((0, (top + bottom) / 2, side, (top + bottom) / 2 + 0.02 * side), fill=wood)


def _sofa(random: Random, draw: ImageDraw.ImageDraw, side: int, horizon: float) -> None:
    cloth, x = colour(random, (0, 1), (0.3, 0.8), (0.3, 0.9)), random.uniform(-0.2, 0.6) * side
    top, bottom = (horizon - 0.2) * side, (horizon + 0.08) * side
    draw.rounded_rectangle((x, top, x + 0.55 * side, bottom), 0.05 * side, fill=cloth)
    darker = tuple(round(part * 0.8) for part in cloth)
    draw.rounded_rectangle((x + 0.06 * side, top + 0.12 * side, x + 0.49 * side, bottom), 0.03 * side, fill=darker)


def _window(random: Random, draw: ImageDraw.ImageDraw, side: int, horizon: float) -> None:
    x, width = random.uniform(0, 0.8) * side, random.uniform(0.12, 0.25) * side
    box = (x, 0.06 * side, x + width, (horizon - 0.15) * side)
    draw.rectangle(box, fill=colour(random, (0.5, 0.6), (0.1, 0.4), (0.8, 1)), outline=(250, 250, 245), width=3)
    draw.line((x + width / 2, box[1], x + width / 2, box[3]), fill=(250, 250, 245), width=3)


def _ball(random: Random, draw: ImageDraw.ImageDraw, side: int, horizon: float) -> None:
    radius, y = random.uniform(0.02, 0.05) * side, random.uniform(horizon + 0.1, 0.97) * side
    _blob(draw, (random.uniform(0, side), y), radius, colour(random, (0, 1), (0.6, 1), (0.6, 1)))


def _bone(random: Random, draw: ImageDraw.ImageDraw, side: int, horizon: float) -> None:
    x, y = random.uniform(0.05, 0.95) * side, random.uniform(horizon + 0.15, 0.97) * side
    ivory, reach, thick = (245, 238, 215), 0.045 * side, 0.014 * side
    draw.line((x - reach, y, x + reach, y), fill=ivory, width=max(2, round(1.6 * thick)))
    for end in (-reach, reach):
        for up in (-thick, thick):
            _blob(draw, (x + end, y + up), thick, ivory)


def _flowers(random: Random, draw: ImageDraw.ImageDraw, side: int, horizon: float) -> None:
    petals = colour(random, (0, 1), (0.3, 0.9), (0.8, 1))
    for _ in range(12):
        _blob(draw, (random.uniform(0, side), random.uniform(horizon + 0.03, 1) * side), 0.008 * side, petals)


def _cloud(random: Random, draw: ImageDraw.ImageDraw, side: int, horizon: float) -> None:
    x, y = random.uniform(0, side), random.uniform(0.05, horizon * 0.5) * side
    for _ in range(4):
        _blob(
            draw, (x + random.normal(0, 0.05) * side, y + random.normal(0, 0.015) * side), 0.045 * side, (245, 247, 250)
        )


def _blob(draw: ImageDraw.ImageDraw, centre: tuple[float, float], radius: float, fill: Colour) -> None:
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


_GROUNDS: tuple[Callable[[Random], tuple[Colour, Colour]], ...] = (_meadow, _meadow, _room, _room, _beach, _snow)
_THINGS = (_tree, _fence, _sofa, _window, _ball, _bone, _flowers, _cloud)

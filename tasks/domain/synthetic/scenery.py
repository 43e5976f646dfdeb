"""Scenery: the cluttered places, the light and the camera noise around a drawn dog."""

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

GRASS: tuple[Colour, ...] = ((118, 176, 84), (150, 186, 96), (96, 150, 92), (176, 178, 104))
SKIES: tuple[Colour, ...] = ((176, 216, 244), (246, 214, 186), (206, 220, 230), (150, 190, 234))
WALLS: tuple[Colour, ...] = ((240, 222, 196), (198, 218, 214), (226, 196, 196), (190, 196, 222), (214, 222, 178))
FLOORS: tuple[Colour, ...] = ((190, 146, 102), (150, 112, 84), (208, 190, 164), (140, 140, 148))
BRIGHT: tuple[Colour, ...] = ((226, 82, 72), (66, 130, 204), (246, 196, 64), (110, 176, 110), (196, 110, 186))


def pick(rng: Generator, colours: tuple[Colour, ...]) -> Colour:
    """Return one of the colours, slightly darker or lighter.

    Args:
        rng: The source of randomness.
        colours: The colours to choose from.

    Returns:
        The colour.
    """
    base = colours[int(rng.integers(len(colours)))]
    return shade(base, float(rng.uniform(0.88, 1.08)))


def shade(colour: Colour, gain: float) -> Colour:
    """Return a colour darkened or lightened.

    Args:
        colour: Red, green and blue, from 0 to 255.
        gain: The factor of each of them.

    Returns:
        The colour, clipped to 0 to 255.
    """
    red, green, blue = (max(0, min(255, round(value * gain))) for value in colour)
    return red, green, blue


def draw_background(rng: Generator, size: int) -> Image.Image:
    """Draw a random place, outdoors or indoors, without a dog.

    Args:
        rng: The source of randomness.
        size: The side of the picture, in pixels.

    Returns:
        The square RGB picture.
    """
    image = Image.new("RGB", (size, size))
    pen = ImageDraw.Draw(image)
    horizon = float(rng.uniform(0.45, 0.72)) * size
    draw_scene = _outdoors if _happens(rng, 0.6) else _indoors
    draw_scene(pen, rng, size, horizon)
    for _ in range(int(rng.integers(1, 4))):
        _toy(pen, rng, size, horizon)
    return image


def draw_foreground(image: Image.Image, rng: Generator) -> None:
    """Draw a few tufts of grass or a ball in front of the dog.

    Args:
        image: The square picture, which is changed.
        rng: The source of randomness.
    """
    pen, size = ImageDraw.Draw(image), image.width
    if _happens(rng, 0.4):
        _tufts(pen, rng, size, 0.93 * size)
    if _happens(rng, 0.3):
        _ball(pen, rng, (float(rng.uniform(0, size)), 0.95 * size), size * 0.05)


def apply_camera(image: Image.Image, rng: Generator) -> Image.Image:
    """Apply a random gradient of light, a tint and the noise of a camera.

    Args:
        image: The square picture.
        rng: The source of randomness.

    Returns:
        The changed picture.
    """
    side = image.width
    ramp = np.linspace(-1, 1, side, dtype=np.float32)
    slope = rng.uniform(-0.14, 0.14, 2).astype(np.float32)
    light = float(rng.uniform(0.8, 1.12)) + slope[0] * ramp[:, None] + slope[1] * ramp[None, :]
    tint = rng.uniform(0.94, 1.06, 3).astype(np.float32)
    pixels = np.asarray(image, dtype=np.float32) * light[..., None] * tint
    pixels += rng.standard_normal(pixels.shape, dtype=np.float32) * np.float32(rng.uniform(1.5, 8))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _happens(rng: Generator, odds: float) -> bool:
    return bool(rng.random() < odds)


def _outdoors(pen: ImageDraw.ImageDraw, rng: Generator, size: int, horizon: float) -> None:
    sky, grass = pick(rng, SKIES), pick(rng, GRASS)
    pen.rectangle((0, 0, size, horizon), fill=sky)
    _sun_and_clouds(pen, rng, size)
    _hills(pen, rng, size, horizon)
    pen.rectangle((0, horizon, size, size), fill=grass)
    for _ in range(int(rng.integers(0, 4))):
        _tree(pen, rng, size, horizon)
    if _happens(rng, 0.5):
        _fence(pen, rng, size, horizon)
    _tufts(pen, rng, size, horizon)


def _sun_and_clouds(pen: ImageDraw.ImageDraw, rng: Generator, size: int) -> None:
    x, y = rng.uniform(0.1, 0.9) * size, rng.uniform(0.06, 0.25) * size
    pen.ellipse(_box(x, y, size * 0.06), fill=(255, 236, 150))
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(0, 1) * size, rng.uniform(0.05, 0.35) * size
        for step in (-1.0, 0.0, 1.0):
            pen.ellipse(_box(x + step * size * 0.05, y, size * (0.055 - 0.015 * abs(step))), fill=(250, 250, 252))


def _hills(pen: ImageDraw.ImageDraw, rng: Generator, size: int, horizon: float) -> None:
    for _ in range(3):
        x, width = rng.uniform(0, 1) * size, rng.uniform(0.25, 0.5) * size
        height = rng.uniform(0.05, 0.22) * size
        pen.ellipse((x - width, horizon - height, x + width, horizon + height), fill=shade(pick(rng, GRASS), 0.9))


def _tree(pen: ImageDraw.ImageDraw, rng: Generator, size: int, horizon: float) -> None:
    x, tall = rng.uniform(0, 1) * size, rng.uniform(0.2, 0.42) * size
    trunk = size * 0.018
    pen.rectangle((x - trunk, horizon - tall * 0.6, x + trunk, horizon + size * 0.03), fill=(122, 88, 62))
    leaves = shade(pick(rng, GRASS), 0.75)
    if _happens(rng, 0.5):
        low = horizon - tall * 0.3
        pen.polygon([(x - tall * 0.35, low), (x, horizon - tall * 1.2), (x + tall * 0.35, low)], fill=leaves)
        return
    for dx, dy in ((-0.2, 0.6), (0.2, 0.6), (0.0, 0.85)):
        pen.ellipse(_box(x + dx * tall, horizon - dy * tall, tall * 0.28), fill=leaves)


def _fence(pen: ImageDraw.ImageDraw, rng: Generator, size: int, horizon: float) -> None:
    wood = shade((236, 224, 204), float(rng.uniform(0.6, 1.05)))
    tall, gap = rng.uniform(0.12, 0.22) * size, rng.uniform(0.07, 0.12) * size
    for share in (0.35, 0.75):
        y = horizon - tall * share
        pen.rectangle((0, y, size, y + size * 0.022), fill=shade(wood, 0.92))
    for x in np.arange(float(rng.uniform(0, gap)), size, gap):
        w = gap * 0.22
        top = horizon - tall
        pen.polygon([(x - w, horizon), (x - w, top), (x, top - w), (x + w, top), (x + w, horizon)], fill=wood)


def _tufts(pen: ImageDraw.ImageDraw, rng: Generator, size: int, top: float) -> None:
    green = shade(pick(rng, GRASS), 0.8)
    for x, share, lean in rng.uniform(0, 1, (14, 3)):
        y, tall = top + share * (size - top), size * 0.035
        for way in (-0.6, 0.0, 0.6):
            pen.line(
                (x * size, y, x * size + (way + lean - 0.5) * tall, y - tall), fill=green, width=max(1, size // 120)
            )


def _indoors(pen: ImageDraw.ImageDraw, rng: Generator, size: int, horizon: float) -> None:
    wall, floor = pick(rng, WALLS), pick(rng, FLOORS)
    pen.rectangle((0, 0, size, horizon), fill=wall)
    _wallpaper(pen, rng, size, wall)
    pen.rectangle((0, horizon, size, size), fill=floor)
    for y in np.linspace(horizon, size, 6):
        pen.line((0, y, size, y), fill=shade(floor, 0.9), width=max(1, size // 150))
    pen.rectangle((0, horizon - size * 0.02, size, horizon), fill=shade(wall, 1.15))
    _window(pen, rng, size)
    if _happens(rng, 0.7):
        _sofa(pen, rng, size, horizon)
    _rug(pen, rng, size, horizon)


def _wallpaper(pen: ImageDraw.ImageDraw, rng: Generator, size: int, wall: Colour) -> None:
    tone, gap = shade(wall, 0.95), float(rng.uniform(0.06, 0.14)) * size
    if _happens(rng, 0.5):
        for x in np.arange(0, size, gap):
            pen.rectangle((x, 0, x + gap / 2, size), fill=tone)
        return
    for x in np.arange(gap / 2, size, gap):
        for y in np.arange(gap / 2, size, gap):
            pen.ellipse(_box(x, y, gap * 0.14), fill=tone)


def _window(pen: ImageDraw.ImageDraw, rng: Generator, size: int) -> None:
    x, y = rng.uniform(0, 0.7) * size, rng.uniform(0.04, 0.12) * size
    wide, tall = rng.uniform(0.18, 0.3) * size, rng.uniform(0.18, 0.3) * size
    bar, frame = max(2, size // 70), (244, 240, 232)
    pen.rectangle((x, y, x + wide, y + tall), fill=pick(rng, SKIES + BRIGHT), outline=frame, width=bar)
    if _happens(rng, 0.7):
        pen.line((x + wide / 2, y, x + wide / 2, y + tall), fill=frame, width=bar)
        pen.line((x, y + tall / 2, x + wide, y + tall / 2), fill=frame, width=bar)


def _sofa(pen: ImageDraw.ImageDraw, rng: Generator, size: int, horizon: float) -> None:
    x, wide = rng.uniform(-0.2, 0.6) * size, rng.uniform(0.45, 0.7) * size
    cloth, tall, soft = pick(rng, BRIGHT + WALLS), rng.uniform(0.18, 0.28) * size, size * 0.04
    pen.rounded_rectangle((x, horizon - tall, x + wide, horizon + size * 0.05), soft, fill=shade(cloth, 0.85))
    pen.rounded_rectangle((x, horizon - tall * 0.35, x + wide, horizon + size * 0.06), soft / 2, fill=cloth)
    for arm in (x - soft, x + wide - soft):
        box = (arm, horizon - tall * 0.6, arm + 2 * soft, horizon + size * 0.07)
        pen.rounded_rectangle(box, soft, fill=shade(cloth, 0.92))


def _rug(pen: ImageDraw.ImageDraw, rng: Generator, size: int, horizon: float) -> None:
    x, wide, y = rng.uniform(0.2, 0.8) * size, rng.uniform(0.25, 0.5) * size, (horizon + size) / 2 + size * 0.06
    tall, cloth = size * 0.09, pick(rng, BRIGHT + WALLS)
    pen.ellipse((x - wide, y - tall, x + wide, y + tall), fill=cloth)
    pen.ellipse((x - wide * 0.8, y - tall * 0.75, x + wide * 0.8, y + tall * 0.75), fill=shade(cloth, 1.12))


def _toy(pen: ImageDraw.ImageDraw, rng: Generator, size: int, horizon: float) -> None:
    spot = float(rng.uniform(0, size)), float(rng.uniform(horizon + size * 0.04, size))
    toy = _ball if _happens(rng, 0.5) else _bone
    toy(pen, rng, spot, float(rng.uniform(0.03, 0.055)) * size)


def _ball(pen: ImageDraw.ImageDraw, rng: Generator, spot: tuple[float, float], radius: float) -> None:
    colour = pick(rng, BRIGHT)
    pen.ellipse(_box(*spot, radius), fill=colour, outline=shade(colour, 0.7), width=2)
    pen.arc(_box(spot[0] - radius, spot[1], radius), -50, 50, fill=(250, 250, 250), width=max(2, round(radius / 5)))


def _bone(pen: ImageDraw.ImageDraw, rng: Generator, spot: tuple[float, float], radius: float) -> None:
    angle = rng.uniform(0, np.pi)
    along, white = np.array([np.cos(angle), np.sin(angle)]) * radius, (248, 242, 226)
    ends = np.array([spot - along, spot + along])
    pen.line([tuple(end) for end in ends.tolist()], fill=white, width=round(radius * 0.5))
    for end in ends:
        for way in (-0.35, 0.35):
            pen.ellipse(_box(end[0] - way * along[1], end[1] + way * along[0], radius * 0.36), fill=white)


def _box(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius

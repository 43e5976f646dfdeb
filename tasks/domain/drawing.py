"""Drawn dogs for the demo: breeds that differ in build, in coats of any colour, in cluttered places."""

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from tasks.domain import breeds
from tasks.domain.breeds import Breed
from tasks.domain.scenery import Colour, Random, colour, scene

BREEDS = tuple(breeds.DEMO)
BACKBONE_BREEDS = tuple(breeds.OTHERS)
COATS = ("white", "black", "brown", "golden", "grey")
_COLOURS: dict[str, Colour] = {
    "white": (240, 236, 228),
    "black": (46, 42, 44),
    "brown": (118, 74, 46),
    "golden": (214, 164, 88),
    "grey": (142, 144, 152),
}
_EVERY = {**breeds.DEMO, **breeds.OTHERS}
# Drawn larger and scaled down, since Pillow draws hard edges.
_SMOOTH = 2
# From here on a coat curls around the legs, and on top of the head; so many dogs show their tongue.
_WOOLLY, _TUFTED, _PANTING = 0.6, 0.3, 0.5


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws in a dog's own measure: x forward from the middle of the body, y up from the ground, in body heights."""

    draw: ImageDraw.ImageDraw
    x: float
    ground: float
    scale: float
    facing: int
    coat: Colour
    random: Random

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Turn the dog's measure into pixels."""
        return self.x + self.facing * x * self.scale, self.ground - y * self.scale

    def oval(self, x: float, y: float, wide: float, high: float, fill: Colour) -> None:
        """Fill an upright oval of the given half axes."""
        left, top = self.at(x, y + high)
        right, bottom = self.at(x, y - high)
        radius = abs(wide) * self.scale
        middle = (left + right) / 2
        self.draw.ellipse((middle - radius, top, middle + radius, bottom), fill=fill)

    def line(self, points: list[tuple[float, float]], wide: float, fill: Colour) -> None:
        """Draw a line with round ends and joints."""
        width = max(2, round(wide * self.scale))
        self.draw.line([self.at(*point) for point in points], fill=fill, width=width, joint="curve")
        for x, y in points:
            self.oval(x, y, wide / 2, wide / 2, fill)

    def shape(self, points: list[tuple[float, float]], fill: Colour) -> None:
        """Fill a polygon."""
        self.draw.polygon([self.at(*point) for point in points], fill=fill)

    def fluff(self, x: float, y: float, reach: float, fill: Colour) -> None:
        """Dab curls around a place."""
        for turn in np.linspace(0, 2 * np.pi, 11):
            size = reach * self.random.uniform(0.3, 0.42)
            self.oval(x + reach * 0.75 * np.cos(turn), y + reach * 0.75 * np.sin(turn), size, size, fill)
        self.oval(x, y, reach * 0.85, reach * 0.85, fill)


def draw(breed: str, coat: str, seed: int, side: int = 192) -> Image.Image:
    """Draw one dog, side by side pixels of sRGB; the same breed, coat and seed give the same picture everywhere."""
    random = np.random.default_rng(list(hashlib.sha256(f"{breed} {coat} {seed}".encode()).digest()))
    large = side * _SMOOTH
    image, ground = scene(random, large)
    build = _varied(_EVERY[breed], random)
    reach = build.length + 2 * build.head + build.snout + 0.5
    high = build.leg + 1 + build.neck + 1.6 * build.head
    scale = large * random.uniform(0.72, 0.95) / max(reach, high * 1.05)
    pen = Pen(
        ImageDraw.Draw(image),
        x=large * random.uniform(0.45, 0.55) - 0.25 * scale * (facing := int(random.choice([-1, 1]))),
        ground=large * ground,
        scale=scale,
        facing=facing,
        coat=_shade(_COLOURS[coat], random.uniform(0.88, 1.1)),
        random=random,
    )
    _dog(pen, build)
    return _photographed(image.resize((side, side), Image.Resampling.BOX), random)


def contact_sheet(names: tuple[str, ...], side: int = 128) -> Image.Image:
    """Lay out one dog of every breed (rows) and coat (columns)."""
    sheet = Image.new("RGB", (side * len(COATS), side * len(names)))
    for row, breed in enumerate(names):
        for column, coat in enumerate(COATS):
            sheet.paste(draw(breed, coat, 7 * row + column, side), (side * column, side * row))
    return sheet


def _varied(breed: Breed, random: Random) -> Breed:
    """Let no dog be quite like the next of its breed."""
    vary = {
        name: getattr(breed, name) * random.uniform(0.92, 1.08) for name in ("length", "leg", "head", "snout", "neck")
    }
    return Breed(ears=breed.ears, tail=breed.tail, fluff=breed.fluff, legs_width=breed.legs_width, **vary)


def _dog(pen: Pen, build: Breed) -> None:
    far = _shade(pen.coat, 0.78)
    pen.oval(0, 0, build.length * 0.62, 0.07, _shade(pen.coat, 0.35))
    _legs(pen, build, far, 0.16)
    _tail(pen, build)
    _body(pen, build)
    _legs(pen, build, pen.coat, 0.0)
    _head(pen, build)


def _body(pen: Pen, build: Breed) -> None:
    middle, half = build.leg + 0.5, build.length / 2
    pen.line([(-half + 0.45, middle), (half - 0.45, middle + 0.04)], 0.95, pen.coat)
    pen.oval(half - 0.45, middle, 0.5, 0.54, pen.coat)
    pen.oval(0, middle - 0.22, half * 0.8, 0.24, _shade(pen.coat, 0.92))
    if build.fluff:
        for x in np.arange(-half + 0.4, half - 0.2, 0.3):
            pen.fluff(x, middle + pen.random.normal(0.05, 0.05), 0.35 + 0.3 * build.fluff, pen.coat)


def _legs(pen: Pen, build: Breed, fill: Colour, back: float) -> None:
    half, step = build.length / 2, pen.random.normal(0, 0.1)
    for x, swing in ((-half + 0.38 + back, step), (half - 0.4 - back, -step)):
        foot = x + swing
        pen.line([(x, build.leg + 0.3), (foot, 0.1)], build.legs_width, fill)
        pen.oval(foot + 0.08, 0.08, build.legs_width * 0.8, 0.1, fill)
        if build.fluff > _WOOLLY:
            pen.fluff(foot, 0.22, 0.2 * build.fluff + 0.08, fill)


def _tail(pen: Pen, build: Breed) -> None:
    x, y, wag = -build.length / 2 + 0.08, build.leg + 0.75, pen.random.normal(0, 0.12)
    if build.tail == "stub":
        pen.oval(x - 0.06, y + 0.05, 0.14, 0.14, pen.coat)
    elif build.tail == "curly":
        turns = np.linspace(-0.6, 4.2, 14)
        pen.line(
            [(x + 0.02 - 0.3 * np.sin(t) * (1 - t / 9), y + 0.38 - 0.3 * np.cos(t)) for t in turns],
            0.22 + 0.1 * build.fluff,
            pen.coat,
        )
    elif build.tail == "thin":
        pen.line([(x, y), (x - 0.35, y + 0.2 + wag), (x - 0.75, y + 0.55 + wag)], 0.11, pen.coat)
    elif build.tail == "pom-pom":
        pen.line([(x, y), (x - 0.12, y + 0.45 + wag)], 0.12, pen.coat)
        pen.fluff(x - 0.15, y + 0.65 + wag, 0.28, pen.coat)
    else:
        pen.line([(x, y), (x - 0.35, y - 0.05 + wag), (x - 0.75, y - 0.35 + wag)], 0.26, pen.coat)
        pen.fluff(x - 0.5, y - 0.2 + wag, 0.27, pen.coat)


def _head(pen: Pen, build: Breed) -> None:
    size, nod = build.head, pen.random.normal(0, 0.06)
    x, y = build.length / 2 - 0.1 + build.neck * 0.35, build.leg + 0.75 + build.neck * 0.75 + nod
    pen.line([(build.length / 2 - 0.45, build.leg + 0.6), (x, y)], 0.62 * min(1.1, 0.6 + size * 0.6), pen.coat)
    light, dark = _shade(pen.coat, 1.15), _shade(pen.coat, 0.68)
    if build.ears in ("pointed", "bat"):
        _upright_ears(pen, build, (x, y), dark)
    pen.oval(x, y, size * 0.62, size * 0.58, pen.coat)
    _snout(pen, build, (x, y), light)
    if build.fluff > _TUFTED:
        pen.fluff(x - 0.1 * size, y + 0.4 * size, 0.45 * size * (0.5 + build.fluff * 0.6), pen.coat)
    if build.ears in ("floppy", "rounded", "pom-pom"):
        _hanging_ears(pen, build, (x, y), dark)
    _eye(pen, (x + 0.24 * size, y + 0.14 * size), size)


def _snout(pen: Pen, build: Breed, head: tuple[float, float], fill: Colour) -> None:
    (x, y), size = head, build.head
    tip = x + size * 0.5 + build.snout
    pen.line([(x + 0.25 * size, y - 0.16 * size), (tip - 0.1, y - 0.2 * size)], 0.5 * size, fill)
    if pen.random.random() < _PANTING:
        pen.oval(tip - 0.16, y - 0.5 * size, 0.08 * size + 0.03, 0.17 * size, (226, 98, 112))
    pen.line([(x + 0.3 * size, y - 0.3 * size), (tip - 0.12, y - 0.32 * size)], 0.035, (40, 28, 28))
    pen.oval(tip, y - 0.06 * size, 0.13 * size, 0.11 * size, (24, 20, 22))


def _eye(pen: Pen, place: tuple[float, float], size: float) -> None:
    x, y = place
    pen.oval(x, y, 0.12 * size, 0.13 * size, (250, 250, 248))
    pen.oval(x + 0.02, y, 0.085 * size, 0.095 * size, (38, 24, 16))
    pen.oval(x + 0.04, y + 0.04 * size, 0.03 * size, 0.03 * size, (255, 255, 255))


def _upright_ears(pen: Pen, build: Breed, head: tuple[float, float], inner: Colour) -> None:
    (x, y), size = head, build.head
    high, wide = (1.25, 0.34) if build.ears == "bat" else (0.95, 0.24)
    for shift, fill in ((0.14, inner), (-0.24, pen.coat)):
        base = x + shift * size
        pen.shape(
            [
                (base - wide * size, y + 0.3 * size),
                (base - 0.04, y + high * size),
                (base + wide * size, y + 0.35 * size),
            ],
            fill,
        )


def _hanging_ears(pen: Pen, build: Breed, head: tuple[float, float], fill: Colour) -> None:
    (x, y), size = head, build.head
    if build.ears == "pom-pom":
        pen.fluff(x - 0.28 * size, y - 0.22 * size, 0.42 * size, fill)
    elif build.ears == "rounded":
        pen.oval(x - 0.3 * size, y + 0.36 * size, 0.2 * size, 0.2 * size, fill)
    else:
        pen.line([(x - 0.25 * size, y + 0.28 * size), (x - 0.36 * size, y - 0.5 * size)], 0.36 * size, fill)


def _shade(fill: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, max(0, round(part * factor))) for part in fill)
    return red, green, blue


def _photographed(image: Image.Image, random: Random) -> Image.Image:
    """Light the picture from one side, tint it, and add the grain of a camera."""
    pixels = np.asarray(image, dtype=np.float32)
    left, right = random.uniform(0.82, 1.12, 2)
    across = np.linspace(left, right, pixels.shape[1], dtype=np.float32)
    tint = np.asarray(colour(random, (0, 1), (0, 0.08), (0.92, 1)), dtype=np.float32) / 255
    grain = random.standard_normal(pixels.shape[:2], dtype=np.float32)[..., None] * random.uniform(3, 10)
    return Image.fromarray(np.clip(pixels * across[None, :, None] * tint + grain, 0, 255).astype(np.uint8))

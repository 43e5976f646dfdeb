"""Drawn dogs: side views in which the breed decides the shape, and the coat the colour."""

import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tasks.domain.synthetic.breeds import ANATOMY, BACKBONE_BREEDS, BREEDS, Breed, Ear
from tasks.domain.synthetic.scenery import BRIGHT, Colour, apply_camera, draw_background, draw_foreground, pick, shade

__all__ = ["BACKBONE_BREEDS", "BREEDS", "COATS", "draw"]

Points = NDArray[np.float64]

_FURS: dict[str, Colour] = {
    "white": (246, 242, 234),
    "black": (62, 58, 64),
    "brown": (134, 86, 54),
    "golden": (226, 172, 92),
    "grey": (150, 154, 164),
}
COATS: tuple[str, ...] = ("white", "black", "brown", "golden", "grey")
_INK: Colour = (34, 28, 32)
_TONGUE: Colour = (238, 112, 128)
# Dogs with more fluff than this have a ruff around their neck.
_MIN_RUFF_FLUFF = 0.5
_TURN = np.linspace(0, 2 * np.pi, 36, endpoint=False)
_CIRCLE: Points = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_HALF = np.linspace(np.pi / 2, 3 * np.pi / 2, 9)


@dataclass(frozen=True)
class _Pose:
    """Everything about one dog that its seed decides; stride, wag and lift run from -1 to 1, nod is in radians."""

    stride: float
    wag: float
    nod: float
    lift: float
    happy: bool
    bib: bool
    patch: bool
    collar: Colour


@dataclass(frozen=True)
class _Brush:
    """Draws shapes that are given in units of the anatomy, with the ground at zero and the nose to the right.

    ``frame`` (2, 2) and ``origin`` (2,) map units to pixels; ``line`` is the width of outlines in pixels.
    """

    pen: ImageDraw.ImageDraw
    origin: Points
    frame: Points
    line: int
    fur: Colour

    def fill(self, colour: Colour, *shapes: Points) -> None:
        """Fill the shapes without an outline."""
        for shape in shapes:
            self.pen.polygon(self._pixels(shape), fill=colour)

    def part(self, colour: Colour, *shapes: Points) -> None:
        """Fill the union of the shapes and draw its outline."""
        edge = shade(colour, 0.52)
        for shape in shapes:
            path = self._pixels(shape)
            self.pen.line(path + path[:4], fill=edge, width=self.line)
        self.fill(colour, *shapes)

    def _pixels(self, shape: Points) -> list[float]:
        pixels: list[float] = (shape @ self.frame + self.origin).ravel().tolist()
        return pixels


def draw(breed: str, coat: str, seed: int, side: int = 192) -> Image.Image:
    """Draw a dog; the same breed, coat and seed always give the same picture.

    Args:
        breed: A key of ``ANATOMY``.
        coat: One of ``COATS``.
        seed: Decides pose, place and light.
        side: The side of the picture, in pixels.

    Returns:
        The square RGB picture.
    """
    rng = np.random.default_rng(zlib.crc32(f"{breed}/{coat}/{seed}".encode()))
    body, big = ANATOMY[breed], 2 * side
    image = draw_background(rng, big)
    brush = _brush(image, rng, body, _FURS[coat])
    _dog(brush, body, _pose(rng))
    draw_foreground(image, rng)
    return apply_camera(image.reduce(2), rng)


def _brush(image: Image.Image, rng: Generator, body: Breed, fur: Colour) -> _Brush:
    wide = body.length + 2 * body.head + body.snout + 0.3 * (body.tail == "bushy")
    tall = 1.12 * body.leg + 0.8 * body.depth + 2.4 * body.head + body.ear_size * (body.ear != "floppy")
    scale = image.width * float(rng.uniform(0.6, 0.88)) / max(wide, tall)
    angle, flip = float(rng.uniform(-0.06, 0.06)), float(rng.choice([-1, 1]))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    frame = np.array([[flip * cos, -sin], [-flip * sin, -cos]])
    centre = 0.5 - flip * 0.09 + rng.uniform(-0.06, 0.06)
    origin = np.array([centre, rng.uniform(0.84, 0.93)]) * image.width
    tone = shade(fur, float(rng.uniform(0.88, 1.06)))
    return _Brush(ImageDraw.Draw(image), origin, frame, max(2, image.width // 90), tone)


def _pose(rng: Generator) -> _Pose:
    stride, wag, nod, lift = rng.uniform(-1, 1, 4).tolist()
    happy, bib, patch = (rng.random(3) < (0.7, 0.5, 0.3)).tolist()
    return _Pose(stride, wag, 0.22 * nod, lift, happy, bib, patch, pick(rng, BRIGHT))


def _dog(brush: _Brush, body: Breed, pose: _Pose) -> None:
    reach = body.length * 0.55
    brush.fill((70, 70, 66), _blob((0.1, 0), (reach + 0.1, 0.035)))
    _tail(brush, body, pose)
    _legs(brush, body, pose, 0.8)
    _trunk(brush, body)
    _legs(brush, body, pose, 1.0)
    if pose.bib:
        bib = (body.length / 2 - body.depth * 0.1, body.leg + body.depth * 0.56)
        brush.fill(_pale(brush.fur), _blob(bib, (body.depth * 0.13, body.depth * 0.32), body.fluff, 0.15))
    _head(brush, body, pose)


def _pink(colour: Colour) -> Colour:
    red, green, blue = colour
    return (red + 250) // 2, (green + 120) // 2, (blue + 120) // 2


def _pale(colour: Colour) -> Colour:
    red, green, blue = (round(value + 0.6 * (252 - value)) for value in colour)
    return red, green, blue


def _blob(centre: tuple[float, float], radii: tuple[float, float], fluff: float = 0.0, tilt: float = 0.0) -> Points:
    curls = 1 + 0.16 * fluff * np.abs(np.sin(_TURN * 4.5))[:, None]
    blob: Points = _turn(_CIRCLE * curls * radii, tilt) + np.asarray(centre)
    return blob


def _limb(start: tuple[float, float], end: tuple[float, float], thick: float, thin: float) -> Points:
    angle = np.arctan2(end[1] - start[1], end[0] - start[0])
    ring = np.stack([np.cos(_HALF + angle), np.sin(_HALF + angle)], axis=1)
    return np.concatenate([ring * thick + np.asarray(start), -ring * thin + np.asarray(end)])


def _turn(shape: Points, angle: float) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    turned: Points = shape @ np.array([[cos, sin], [-sin, cos]])
    return turned


def _trunk(brush: _Brush, body: Breed) -> None:
    mid, half, deep = body.leg + body.depth / 2, body.length / 2, body.depth / 2
    chest, rump = (half - deep * 0.8, mid), (-half + deep * 0.8, mid + deep * 0.1)
    barrel = _limb(rump, chest, deep * 0.84, deep * 0.95)
    ends = _blob(chest, (deep * 1.02, deep * 1.08), body.fluff), _blob(rump, (deep * 0.9,) * 2, body.fluff)
    brush.part(brush.fur, barrel, *ends)


def _legs(brush: _Brush, body: Breed, pose: _Pose, gain: float) -> None:
    colour, far, half = shade(brush.fur, gain), gain < 1, body.length / 2
    for hip, way in ((half - body.depth * 0.42, 1), (-half + body.depth * 0.4, -1)):
        stride = way * pose.stride * (-0.3 if far else 0.3) * body.leg
        leg, *paw = _leg(body, hip, hip + stride + 0.05 * far)
        brush.part(colour, leg, *paw)
        if pose.bib:
            brush.fill(_pale(colour), *paw)
        if not far:
            brush.fill(colour, _blob((hip, body.leg + body.depth * 0.3), (1.65 * _leg_width(body), body.depth * 0.3)))


def _leg(body: Breed, hip: float, foot: float) -> list[Points]:
    thick = _leg_width(body)
    leg = _limb((hip, body.leg + body.depth * 0.25), (foot, 0.05), thick * 1.35, thick * 0.85)
    paw = _blob((foot + 0.03, 0.04), (thick * 1.25, 0.05))
    cuff = [_blob((foot, 0.12), (0.1, 0.085), 1.0)] if body.tail == "pom-pom" else []
    return [leg, paw, *cuff]


def _leg_width(body: Breed) -> float:
    return 0.055 + body.depth * 0.06


def _tail(brush: _Brush, body: Breed, pose: _Pose) -> None:
    root = np.array([-body.length / 2 + 0.07, body.leg + body.depth * 0.78])
    swing = 0.3 * pose.wag
    if body.tail == "stub":
        brush.part(brush.fur, _blob((root[0] - 0.06, root[1] + 0.03), (0.1, 0.08), 0.6, swing))
        return
    lengths, angles, widths = _tail_curve(body)
    steps = lengths[:, None] * np.stack([np.cos(angles - swing), np.sin(angles - swing)], axis=1)
    spots: list[tuple[float, float]] = np.vstack([root, root + np.cumsum(steps, axis=0)]).tolist()
    links = [_limb(*ends, width, width) for ends, width in zip(pairwise(spots), widths, strict=True)]
    if body.tail == "pom-pom":
        links.append(_blob(spots[-1], (0.12, 0.12), 1.0))
    brush.part(brush.fur, *links)


def _tail_curve(body: Breed) -> tuple[Points, Points, Points]:
    spread = np.linspace(0, 1, 9)
    match body.tail:
        case "curly":
            return np.full(9, 0.085), 2.6 - 4.6 * spread, 0.05 + (0.02 + 0.05 * body.fluff) * np.sin(np.pi * spread)
        case "bushy":
            return np.full(9, 0.046), 3.7 - 1.5 * spread, 0.04 + 0.1 * np.sin(np.pi * spread**0.8)
        case "thin":
            return np.full(9, 0.055), 2.7 - 1.2 * spread, 0.042 - 0.022 * spread
        case _:
            return np.full(9, 0.03), 2.1 - 0.4 * spread, np.full(9, 0.028)


def _head(brush: _Brush, body: Breed, pose: _Pose) -> None:
    size = body.head
    neck = np.array([body.length / 2 - body.depth * 0.35, body.leg + body.depth * 0.75])
    skull = neck + np.array([0.12 + size * 0.45, size * (1.25 + 0.2 * pose.lift) + body.leg * 0.12])
    _neck(brush, body, (neck, skull), pose)
    local = _local_brush(brush, skull, pose.nod)
    _ear(local, body, (-0.38, 0.5), 0.82)
    _face(local, body, pose)
    _ear(local, body, (-0.3, 0.35) if body.ear in {"floppy", "pom-pom"} else (-0.1, 0.55), 0.9)


def _local_brush(brush: _Brush, centre: Points, tilt: float) -> _Brush:
    frame = _turn(np.eye(2), tilt) @ brush.frame
    return _Brush(brush.pen, centre @ brush.frame + brush.origin, frame, brush.line, brush.fur)


def _neck(brush: _Brush, body: Breed, ends: tuple[Points, Points], pose: _Pose) -> None:
    neck, skull = (float(ends[0][0]), float(ends[0][1])), (float(ends[1][0]), float(ends[1][1]))
    wide = body.depth * 0.36
    shapes = [_limb(neck, skull, wide, body.head * 0.6)]
    if body.fluff > _MIN_RUFF_FLUFF:
        shapes.append(_blob((neck[0] + 0.04, neck[1] + 0.03), (wide * 1.3, wide * 1.2), body.fluff))
    brush.fill(brush.fur, *shapes)
    a, b = ends[0] * 0.55 + ends[1] * 0.45, np.array([body.head * 0.62, -body.head * 0.3])
    brush.part(pose.collar, _limb(tuple(a - b), tuple(a + b), 0.03, 0.03))


def _face(brush: _Brush, body: Breed, pose: _Pose) -> None:
    size, tip = body.head, body.head * 0.6 + body.snout
    if pose.happy:
        tongue = _limb((tip * 0.78, -size * 0.5), (tip * 0.8, -size * 0.95), size * 0.17, size * 0.19)
        brush.part(_TONGUE, tongue)
    brush.part(brush.fur, *_skull(body, tip))
    if pose.bib:
        muzzle = _limb((size * 0.6, -size * 0.4), (tip - size * 0.2, -size * 0.36), size * 0.36, size * 0.26)
        brush.fill(_pale(brush.fur), muzzle)
    if pose.patch:
        brush.fill(shade(brush.fur, 0.72), _blob((size * 0.36, size * 0.2), (size * 0.4, size * 0.42), 0, 0.4))
    _features(brush, size, tip)


def _skull(body: Breed, tip: float) -> list[Points]:
    size = body.head
    jaw = _limb((size * 0.3, -size * 0.32), (tip - size * 0.2, -size * 0.34), size * 0.5, size * 0.3)
    crown = [_blob((-size * 0.1, size * 0.85), (size * 0.8, size * 0.6), 1.0)] if body.ear == "pom-pom" else []
    return [jaw, _blob((0, 0), (size, size * 0.95), body.fluff * 0.7), *crown]


def _features(brush: _Brush, size: float, tip: float) -> None:
    brush.fill(_pink(brush.fur), _blob((size * 0.3, -size * 0.28), (size * 0.2, size * 0.13)))
    brush.fill((252, 252, 250), _blob((size * 0.42, size * 0.2), (size * 0.24, size * 0.27)))
    brush.fill(_INK, _blob((size * 0.47, size * 0.19), (size * 0.18, size * 0.21)))
    brush.fill((255, 255, 255), _blob((size * 0.53, size * 0.28), (size * 0.065, size * 0.075)))
    brush.fill(_INK, _blob((tip + size * 0.03, -size * 0.18), (size * 0.2, size * 0.16)))
    smile = [(size * 0.42, -size * 0.5), (size * 0.62, -size * 0.62), (tip - size * 0.12, -size * 0.52)]
    for start, end in pairwise(smile):
        brush.fill(shade(brush.fur, 0.45), _limb(start, end, 0.012, 0.012))


def _ear(brush: _Brush, body: Breed, spot: tuple[float, float], gain: float) -> None:
    x, y, long = spot[0] * body.head, spot[1] * body.head, body.ear_size
    shape = _ear_shape(body.ear) * long + (x, y)
    brush.part(shade(brush.fur, gain), shape)
    if body.ear == "pointed":
        brush.fill((226, 158, 156), shape * 0.55 + np.array([x, y + long * 0.25]) * 0.45)


def _ear_shape(ear: Ear) -> Points:
    match ear:
        case "pointed":
            return np.array([(-0.4, 0), (-0.22, 0.75), (-0.1, 1.15), (0.2, 0.7), (0.38, 0)])
        case "floppy":
            return _limb((0, 0), (-0.15, -0.8), 0.22, 0.36)
        case "pom-pom":
            return _blob((-0.2, -0.6), (0.72, 1), 1.0)
        case "rounded":
            return _blob((-0.1, 0.5), (0.8, 0.8))

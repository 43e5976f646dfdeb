"""A brush that paints tapered strokes on a picture: every part of a drawn dog is one."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import ImageDraw

from tasks.domain.breeds import Fur

Point = tuple[float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points whose radius changes on the way; its fur decorates the rim."""

    points: tuple[Point, ...]
    radii: tuple[float, ...]
    fur: Fur = Fur.SMOOTH


@dataclass(frozen=True, slots=True)
class Brush:
    """Paints in a dog's own coordinates (y points down, the paws stand at 0) on a picture in pixels."""

    canvas: ImageDraw.ImageDraw
    origin: Point
    scale: float
    facing: int
    tilt: float

    def shifted(self, across: float, down: float) -> "Brush":
        """The same brush, moved by so many of the dog's units, whichever way the dog faces."""
        return replace(self, origin=(self.origin[0] + across * self.scale, self.origin[1] + down * self.scale))

    def place(self, point: Point) -> Point:
        """Where a point of the dog lies in the picture."""
        x, y = point
        turned = (x * math.cos(self.tilt) - y * math.sin(self.tilt), x * math.sin(self.tilt) + y * math.cos(self.tilt))
        return self.origin[0] + self.facing * turned[0] * self.scale, self.origin[1] + turned[1] * self.scale

    def dot(self, point: Point, radius: float, colour: Colour) -> None:
        """Paint a disc."""
        x, y = self.place(point)
        r = max(radius * self.scale, 0.5)
        self.canvas.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def stroke(self, stroke: Stroke, colour: Colour, grow: float = 0) -> None:
        """Paint a stroke, its radii larger (or smaller) by some units."""
        radii = tuple(max(radius + grow, 0.3) for radius in stroke.radii)
        for point, radius in zip(stroke.points, radii, strict=True):
            self.dot(point, radius, colour)
        ends = zip(stroke.points, radii, strict=True)
        self._join(list(ends), colour)
        self._fur(stroke, colour, grow)

    def _join(self, discs: Sequence[tuple[Point, float]], colour: Colour) -> None:
        for (start, first), (end, last) in zip(discs, discs[1:], strict=False):
            away = math.dist(start, end)
            if away > abs(first - last):
                self.canvas.polygon([self.place(corner) for corner in _tangents(start, first, end, last)], fill=colour)

    def _fur(self, stroke: Stroke, colour: Colour, grow: float) -> None:
        if stroke.fur is Fur.SMOOTH:
            return
        for middle, radius, around in _rim(stroke):
            tip = (math.cos(around), math.sin(around))
            size = radius * 0.3
            if stroke.fur is Fur.CURLS:
                self.dot((middle[0] + tip[0] * radius, middle[1] + tip[1] * radius), size + grow, colour)
            else:
                self._lock(middle, radius + grow, around, colour)

    def _lock(self, middle: Point, radius: float, around: float, colour: Colour) -> None:
        # The tips lean backwards and down, as hair does.
        lean = around + (0.22 if math.cos(around) < 0 else -0.1)
        corners = [(around - 0.28, radius * 0.98), (around + 0.28, radius * 0.98), (lean, radius * 1.2)]
        self.canvas.polygon(
            [self.place((middle[0] + math.cos(a) * r, middle[1] + math.sin(a) * r)) for a, r in corners], fill=colour
        )


def _tangents(start: Point, first: float, end: Point, last: float) -> tuple[Point, Point, Point, Point]:
    away = math.dist(start, end)
    along = math.atan2(end[1] - start[1], end[0] - start[0])
    open_by = math.acos((first - last) / away)
    one, two = along + open_by, along - open_by
    return (
        (start[0] + first * math.cos(one), start[1] + first * math.sin(one)),
        (end[0] + last * math.cos(one), end[1] + last * math.sin(one)),
        (end[0] + last * math.cos(two), end[1] + last * math.sin(two)),
        (start[0] + first * math.cos(two), start[1] + first * math.sin(two)),
    )


def _rim(stroke: Stroke) -> Iterator[tuple[Point, float, float]]:
    """Centre, radius and direction of every curl or lock on a stroke's rim."""
    discs = list(zip(stroke.points, stroke.radii, strict=True))
    for (start, first), (end, last) in zip(discs, discs[1:] or discs, strict=False):
        steps = max(1, round(math.dist(start, end) / (0.7 * max(first, last))))
        for step in range(steps + 1):
            share = step / steps
            middle = (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
            for turn in range(11):
                yield middle, first + (last - first) * share, turn * math.tau / 11 + step

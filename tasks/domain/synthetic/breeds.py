"""The breeds of drawn dogs, which differ in their shapes and never in their colour."""

from dataclasses import dataclass
from typing import Literal

Ear = Literal["pointed", "floppy", "pom-pom", "rounded"]
Tail = Literal["curly", "thin", "bushy", "pom-pom", "stub"]
BREEDS: tuple[str, ...] = ("poodle", "dachshund", "corgi", "husky", "beagle")
BACKBONE_BREEDS: tuple[str, ...] = (
    "pug",
    "greyhound",
    "chow",
    "terrier",
    "basset",
    "collie",
    "dane",
    "pomeranian",
    "spaniel",
    "bichon",
)


@dataclass(frozen=True)
class Breed:
    """The anatomy of one breed; all lengths share one arbitrary unit.

    Attributes:
        length: The length of the trunk.
        depth: The height of the trunk.
        leg: The length of the legs.
        head: The radius of the head.
        snout: The length of the snout.
        ear: The shape of the ears.
        ear_size: The size of the ears.
        tail: The shape of the tail.
        fluff: How curly the outline is, from 0 (smooth) to 1.
    """

    length: float
    depth: float
    leg: float
    head: float
    snout: float
    ear: Ear
    ear_size: float
    tail: Tail
    fluff: float


ANATOMY: dict[str, Breed] = {
    "poodle": Breed(0.72, 0.34, 0.56, 0.185, 0.27, "pom-pom", 0.19, "pom-pom", 0.9),
    "dachshund": Breed(1.42, 0.33, 0.13, 0.185, 0.3, "floppy", 0.27, "thin", 0.0),
    "corgi": Breed(0.98, 0.43, 0.14, 0.24, 0.19, "pointed", 0.33, "stub", 0.25),
    "husky": Breed(0.86, 0.42, 0.42, 0.225, 0.22, "pointed", 0.2, "curly", 0.55),
    "beagle": Breed(0.84, 0.4, 0.34, 0.235, 0.2, "floppy", 0.33, "thin", 0.0),
    "pug": Breed(0.7, 0.43, 0.26, 0.26, 0.06, "rounded", 0.13, "curly", 0.0),
    "greyhound": Breed(0.98, 0.32, 0.66, 0.15, 0.31, "rounded", 0.11, "thin", 0.0),
    "chow": Breed(0.72, 0.52, 0.28, 0.28, 0.12, "rounded", 0.13, "curly", 1.0),
    "terrier": Breed(0.62, 0.34, 0.3, 0.21, 0.24, "pointed", 0.17, "stub", 0.7),
    "basset": Breed(1.18, 0.45, 0.14, 0.24, 0.28, "floppy", 0.42, "thin", 0.0),
    "collie": Breed(0.96, 0.42, 0.44, 0.19, 0.31, "pointed", 0.14, "bushy", 0.9),
    "dane": Breed(0.92, 0.42, 0.72, 0.2, 0.27, "pointed", 0.24, "thin", 0.0),
    "pomeranian": Breed(0.46, 0.46, 0.16, 0.25, 0.11, "rounded", 0.11, "bushy", 1.0),
    "spaniel": Breed(0.86, 0.4, 0.34, 0.2, 0.23, "pom-pom", 0.2, "bushy", 0.4),
    "bichon": Breed(0.64, 0.42, 0.2, 0.28, 0.12, "pom-pom", 0.16, "pom-pom", 0.8),
}

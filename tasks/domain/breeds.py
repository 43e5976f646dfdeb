"""The breeds of drawn dogs: told apart by their build, never by their colour."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Breed:
    """A dog's build; lengths are in heights of its body."""

    length: float
    leg: float
    head: float
    snout: float
    ears: Literal["pointed", "floppy", "pom-pom", "rounded", "bat"]
    tail: Literal["curly", "thin", "bushy", "pom-pom", "stub"]
    fluff: float
    neck: float = 0.5
    legs_width: float = 0.26


DEMO = {
    "poodle": Breed(1.55, 1.05, 0.52, 0.42, "pom-pom", "pom-pom", 0.75, neck=0.75, legs_width=0.22),
    "dachshund": Breed(3.0, 0.32, 0.5, 0.62, "floppy", "thin", 0.0, neck=0.35),
    "corgi": Breed(2.15, 0.36, 0.62, 0.36, "bat", "stub", 0.25, neck=0.4),
    "husky": Breed(1.75, 0.95, 0.56, 0.4, "pointed", "curly", 0.35, neck=0.55),
    "bulldog": Breed(1.6, 0.5, 0.85, 0.12, "rounded", "stub", 0.0, neck=0.3, legs_width=0.36),
}
OTHERS = {
    "greyhound": Breed(1.95, 1.35, 0.4, 0.6, "rounded", "thin", 0.0, neck=0.8, legs_width=0.17),
    "basset": Breed(2.6, 0.42, 0.62, 0.5, "floppy", "thin", 0.1, neck=0.4, legs_width=0.32),
    "chow": Breed(1.45, 0.6, 0.75, 0.2, "rounded", "curly", 1.0, neck=0.3, legs_width=0.34),
    "shepherd": Breed(2.0, 0.9, 0.56, 0.52, "pointed", "bushy", 0.3, neck=0.6),
    "pug": Breed(1.4, 0.55, 0.72, 0.08, "floppy", "curly", 0.0, neck=0.3),
    "chihuahua": Breed(1.3, 0.75, 0.7, 0.22, "bat", "thin", 0.0, neck=0.45, legs_width=0.17),
    "sheepdog": Breed(1.7, 0.7, 0.68, 0.3, "floppy", "bushy", 1.0, neck=0.4, legs_width=0.34),
    "terrier": Breed(1.6, 0.62, 0.58, 0.46, "pointed", "stub", 0.5, neck=0.5),
    "setter": Breed(2.0, 1.0, 0.5, 0.55, "floppy", "bushy", 0.4, neck=0.65),
    "spitz": Breed(1.45, 0.6, 0.62, 0.28, "pointed", "curly", 0.9, neck=0.4),
}

"""The breeds that drawn dogs may have: told apart by build, ears, snout, tail and fur, never by colour."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Ear(StrEnum):
    """How the ears sit."""

    POINTED = "pointed"
    FLOPPY = "floppy"
    POMPOM = "pom-pom"
    FOLDED = "folded"


class Tail(StrEnum):
    """How the tail looks."""

    CURLY = "curly"
    THIN = "thin"
    BUSHY = "bushy"
    POMPOM = "pom-pom"
    STUB = "stub"


class Fur(StrEnum):
    """How the outline of the coat looks."""

    SMOOTH = "smooth"
    SHAGGY = "shaggy"
    CURLS = "curls"


@dataclass(frozen=True, slots=True)
class Breed:
    """A dog's build; lengths are in parts of a middle-sized dog's height (100), the defaults are that dog's."""

    body: float = 62
    chest: float = 21
    hip: float = 17
    leg: float = 34
    leg_width: float = 6
    neck: float = 26
    head: float = 17
    snout: float = 18
    snout_width: float = 8
    ear: Ear = Ear.FLOPPY
    ear_size: float = 22
    tail: Tail = Tail.THIN
    tail_size: float = 34
    fur: Fur = Fur.SMOOTH
    skirt: float = 0


_HOUND = Breed()
_SPITZ = replace(_HOUND, ear=Ear.POINTED, ear_size=20, tail=Tail.CURLY, fur=Fur.SHAGGY, neck=22)

#: The demo's breeds.
BREEDS: dict[str, Breed] = {
    "corgi": replace(
        _SPITZ, body=74, chest=20, hip=18, leg=12, leg_width=7, head=18, snout=15, ear_size=28, tail=Tail.STUB, tail_size=9
    ),
    "dachshund": replace(
        _HOUND, body=104, chest=15, hip=13, leg=9, leg_width=5, neck=20, head=13, snout=27, snout_width=6, ear_size=22
    ),
    "husky": replace(_SPITZ, body=64, chest=23, hip=19, leg=36, leg_width=7.5, head=19, snout=17, ear_size=19, tail_size=40),
    "poodle": replace(
        _HOUND, body=46, chest=22, hip=13, leg=44, leg_width=4, neck=32, head=14, snout=24, snout_width=5,
        ear=Ear.POMPOM, ear_size=20, tail=Tail.POMPOM, tail_size=26, fur=Fur.CURLS,
    ),
    "pug": replace(
        _HOUND, body=40, chest=22, hip=19, leg=19, leg_width=6.5, neck=17, head=23, snout=3, snout_width=12,
        ear=Ear.FOLDED, ear_size=14, tail=Tail.CURLY, tail_size=20,
    ),
}

#: Breeds of which the demo's backbone learned what dogs look like; none of them is in the demo.
BACKBONE_BREEDS: dict[str, Breed] = {
    "afghan": replace(
        _HOUND, body=54, chest=18, hip=16, leg=44, neck=32, head=13, snout=26, snout_width=5, ear_size=34,
        tail=Tail.THIN, tail_size=30, fur=Fur.SHAGGY, skirt=22,
    ),
    "basset": replace(_HOUND, body=86, chest=21, hip=19, leg=11, leg_width=8.5, head=18, snout=22, snout_width=11, ear_size=40),
    "beagle": replace(_HOUND, body=52, chest=20, hip=18, leg=27, head=17, snout=16, snout_width=9, ear_size=25, tail_size=32),
    "bulldog": replace(
        _HOUND, body=48, chest=29, hip=20, leg=15, leg_width=9, neck=18, head=25, snout=8, snout_width=15,
        ear=Ear.FOLDED, ear_size=11, tail=Tail.STUB, tail_size=7,
    ),
    "chihuahua": replace(
        _HOUND, body=36, chest=14, hip=12, leg=24, leg_width=3.5, neck=20, head=19, snout=9, snout_width=5,
        ear=Ear.POINTED, ear_size=34, tail_size=28,
    ),
    "collie": replace(
        _SPITZ, body=66, chest=24, hip=20, leg=30, neck=27, head=15, snout=28, snout_width=6, ear=Ear.FOLDED, ear_size=13,
        tail=Tail.BUSHY, tail_size=44, skirt=10,
    ),
    "greyhound": replace(
        _HOUND, body=70, chest=20, hip=12, leg=48, leg_width=4.5, neck=33, head=12, snout=26, snout_width=4.5,
        ear=Ear.FOLDED, ear_size=10, tail_size=48,
    ),
    "pomeranian": replace(
        _SPITZ, body=26, chest=27, hip=25, leg=12, leg_width=4, neck=20, head=20, snout=8, snout_width=5, ear_size=13,
        tail=Tail.BUSHY, tail_size=34,
    ),
    "scottie": replace(
        _SPITZ, body=56, chest=20, hip=18, leg=13, neck=22, head=16, snout=24, snout_width=11, ear_size=18,
        tail=Tail.THIN, tail_size=20, skirt=12,
    ),
    "sheepdog": replace(
        _HOUND, body=58, chest=29, hip=29, leg=26, leg_width=10, neck=22, head=25, snout=10, snout_width=13, ear_size=24,
        tail=Tail.STUB, tail_size=10, fur=Fur.CURLS,
    ),
}

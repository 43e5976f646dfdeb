"""The demo: a few nights with drawn dogs, from the first model to a night with nothing new."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from configs.load import home, read_settings
from configs.schema import Settings
from flows.night import run_night
from tasks.domain.drawing import BREEDS, COATS, draw
from tasks.domain.outcome import Outcome

SETTINGS = Path(__file__).parent.parent / "configs" / "demo.yaml"


@dataclass(frozen=True, slots=True)
class Act:
    """One night of the story: what is told, and how many new photographs of each breed and coat arrive before it."""

    title: str
    photographs: int


STORY = (
    Act("Night 1: the first photographs arrive", 12),
    Act("Night 2: more photographs of every breed", 8),
    Act("Night 3: nothing new", 0),
)


def play() -> Iterator[tuple[Act, Outcome | None]]:
    """Yield each night twice: when it begins, without an outcome, and when it has ended."""
    place = home() / "demo"
    shutil.rmtree(place, ignore_errors=True)
    settings = demo_settings(place)
    drawn = 0
    for act in STORY:
        yield act, None
        draw_photographs(Path(settings.source.url), range(drawn, drawn + act.photographs))
        drawn += act.photographs
        yield act, run_night(settings)


def demo_settings(place: Path) -> Settings:
    """Read the demo's settings, with its photographs and its store in the given folder."""
    return read_settings(SETTINGS, [f"source.url={place / 'photos'}", f"store.url={place / 'store'}"])


def draw_photographs(folder: Path, seeds: range) -> None:
    """Draw one dog of each breed and coat for every seed, below a folder for each."""
    for breed in BREEDS:
        for coat in COATS:
            place = folder / breed / coat
            place.mkdir(parents=True, exist_ok=True)
            for seed in seeds:
                draw(breed, coat, seed).save(place / f"{seed:04}.jpg", quality=90)

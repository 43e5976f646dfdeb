"""The demo: five nightly runs with drawn dogs; a first model, better ones, one that is rejected, and nothing new."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.environment import home
from configs.load import read_settings
from configs.schema import Settings
from configs.servers import Serve
from flows.runner import run_retrain
from infra.local_stack.service import Served
from tasks.domain.runs.results import Outcome
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw

SETTINGS = Path(__file__).parent.parent / "configs" / "demo.yaml"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Photographs of one breed that arrive together, one for each coat and seed.

    ``folder`` is the class folder that they lie in, where it is not that of their breed: a wrong label.
    """

    breed: str
    seeds: range
    coats: tuple[str, ...] = COATS
    folder: str = ""

    def files(self, photos: Path, *, right: bool = False) -> Iterator[tuple[str, int, Path]]:
        """List the photographs with the files that they lie in.

        Args:
            photos: The source's folder.
            right: Name the files of the right class folder, also where the photographs arrive in a wrong one.

        Yields:
            Coat, seed and file of each photograph.
        """
        for coat in self.coats:
            for seed in self.seeds:
                folder = self.breed if right else self.folder or self.breed
                yield coat, seed, photos / folder / coat / f"{self.breed}-{seed:04}.jpg"


@dataclass(frozen=True, slots=True)
class Act:
    """One night of the demo: its title, the photographs that arrive before it, and those whose labels are corrected."""

    title: str
    arrivals: tuple[Arrival, ...] = ()
    corrected: tuple[Arrival, ...] = ()


_FIRST = tuple(breed for breed in BREEDS if breed != "beagle")
_DARK = ("black", "brown")
_WRONG = Arrival("poodle", range(16, 32), _DARK, folder="beagle")
STORY = (
    Act("Run 1: the first photographs of four breeds", tuple(Arrival(breed, range(8)) for breed in _FIRST)),
    Act("Run 2: more photographs of each", tuple(Arrival(breed, range(8, 16)) for breed in _FIRST)),
    Act(
        "Run 3: beagles are new, all new poodles are white, and some poodles lie among the beagles",
        (Arrival("beagle", range(6)), Arrival("poodle", range(16, 36), ("white",)), _WRONG),
    ),
    Act(
        "Run 4: these labels are corrected, and other poodles arrive",
        (Arrival("poodle", range(36, 40), _DARK),),
        corrected=(_WRONG,),
    ),
    Act("Run 5: nothing new"),
)


def play(changes: Sequence[str] = ()) -> Iterator[tuple[Act, Outcome | None]]:
    """Run the demo's nights one after the other.

    Args:
        changes: Changes of settings such as ``training.seed=1``.

    Yields:
        Each night twice: with None when it begins, and with its outcome when it has ended.
    """
    folder = home() / "demo"
    settings = demo_settings(folder, changes)
    if folder.exists():
        _remove_former_demo(folder, settings)
    for act in STORY:
        yield act, None
        place_photographs(Path(settings.source.url), act)
        yield act, run_retrain(settings, look=False)


def _remove_former_demo(folder: Path, settings: Settings) -> None:
    """Delete what a former demo left: its store, and its registered model, which no other store may continue."""
    from tasks.stores.store import Store
    from tasks.stores.tracking import registry
    from tasks.stores.tracking.client import check_tracking

    url, model = settings.tracking.url, settings.tracking.model
    check_tracking(url)
    tags = registry.read_aliases_and_tags(url, model)[1]
    if tags.get(registry.STORE) == Store(settings.store.url).identity():
        registry.remove_model(url, model)
    shutil.rmtree(folder)


def demo_settings(folder: Path, changes: Sequence[str] = ()) -> Settings:
    """Read the demo's settings, with its photographs and its store in the given folder.

    Args:
        folder: The folder that holds both.
        changes: Changes of settings such as ``training.seed=1``.

    Returns:
        The settings.
    """
    return read_settings(SETTINGS, [f"source.url={folder / 'photos'}", f"store.url={folder / 'store'}", *changes])


def played_demo() -> Served | None:
    """Return the demo's champion as one to be served; None where the demo was not played in this home."""
    folder = home() / "demo"
    if not (folder / "store").is_dir():
        return None
    settings = demo_settings(folder)
    return Served(store=settings.store.url, tracking=settings.tracking, serve=Serve())


def place_photographs(photos: Path, act: Act) -> None:
    """Write the photographs that arrive before a night, and move corrected ones to their right folder.

    Args:
        photos: The source's folder.
        act: The night.
    """
    for arrival in act.arrivals:
        for coat, seed, file in arrival.files(photos):
            file.parent.mkdir(parents=True, exist_ok=True)
            draw(arrival.breed, coat, seed).save(file, quality=90)
    for arrival in act.corrected:
        for (_, _, wrong), (_, _, right) in zip(arrival.files(photos), arrival.files(photos, right=True), strict=True):
            wrong.rename(right)

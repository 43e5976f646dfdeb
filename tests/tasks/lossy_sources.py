"""A source that loses files, rights and folders, and the runs that see it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import unwrap
from pathlib import Path
from types import TracebackType
from typing import Self

import lance  # noqa: F401 - what a store imports when it needs it, which may lie where only root may read

from configs.load import parse_settings, resolve
from configs.schema import Settings
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.domain.ingestion.source_objects import Snapshot
from tasks.ingestion.ingest import ingest
from tasks.ingestion.snapshot import snapshot
from tasks.stores.store import Store
from tests.ordinary_user import open_folder, ordinary_user

BREEDS, EACH = ("boxer", "husky", "pug"), 12


class EverythingIsAPicture:
    """What stands in for the processes that decode: reading and counting are what is tried here."""

    left_open: tuple[str, ...] = ()

    def __init__(self, *_: object) -> None:
        """Take whatever a decoder takes."""

    def __enter__(self) -> Self:
        """Start nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop nothing."""

    def examine(self, files: Sequence[bytes]) -> list[ImageInfo]:
        """Take any bytes for a picture."""
        return [
            ImageInfo(sha256_of_bytes(data), 64, 64, "PNG", b"0" * 32, ImageProperties(0.5, 0.5, 0.5, 0.5))
            for data in files
        ]


class World:
    """A source of three breeds, a store, and the runs that they see."""

    def __init__(self, folder: Path, vanished: str = "at most 0.3") -> None:
        """Fill the source with photographs, each with bytes of its own."""
        self.photos = folder / "photos"
        for breed in BREEDS:
            (self.photos / breed).mkdir(parents=True)
            for number in range(EACH):
                (self.photos / breed / f"{number:02}.jpg").write_bytes(f"{breed} {number}".encode())
        (folder / "store").mkdir()
        (folder / "store").chmod(0o777)
        self.store = str(folder / "store")
        self.settings = self.with_rule(vanished)

    def with_rule(self, vanished: str) -> Settings:
        """Make settings with this rule about what vanished."""
        values = {"source": {"url": str(self.photos), "vanished": vanished}, "store": {"url": self.store}}
        return resolve(parse_settings(values, "test"))

    def run(self, vanished: str = "") -> Snapshot:
        """List and fetch as a retraining does that comes to its end, and answer the listing."""
        chosen = self.with_rule(vanished) if vanished else self.settings
        listed: Snapshot = unwrap(snapshot.fn)(chosen.source, chosen.store)
        unwrap(ingest.fn)(listed, chosen)
        Store(self.store).processed_snapshots.write(listed.source, listed.taken, "unchanged: nothing new")
        return listed

    def stored(self, moment: str = "") -> dict[str, str]:
        """Return the photographs that the store knows the source to hold, by key."""
        rows = Store(self.store).snapshots.located(str(self.photos), moment)
        return dict(zip(rows["key"].to_pylist(), rows["image"].to_pylist(), strict=True))

    def answered(self) -> str:
        """Tell which listing the last run answered."""
        return Store(self.store).processed_snapshots.last(str(self.photos))

    def remove(self, breed: str, number: int = EACH) -> None:
        """Delete the first photographs of a breed."""
        for path in sorted((self.photos / breed).iterdir())[:number]:
            path.unlink()

    def lock(self, breed: str, number: int = EACH) -> None:
        """Exchange photographs for others that this user may not read."""
        for path in sorted((self.photos / breed).iterdir())[:number]:
            path.chmod(0o644)
            path.write_bytes(path.read_bytes() + b" again")
            path.chmod(0)


@contextmanager
def new_world() -> Iterator[World]:
    """Make a world that an ordinary user can reach, and see it as one."""
    with open_folder() as folder:
        world = World(folder)
        with ordinary_user():
            yield world


@contextmanager
def ordinary_again(world: World) -> Iterator[None]:
    """Do what only the owner of a source may do, in a world that is seen by somebody else."""
    was, owner = os.geteuid(), world.photos.stat().st_uid
    if was == owner:
        yield
        return
    os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(was)

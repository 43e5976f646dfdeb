"""What was a photograph in the last run is one in this run, or somebody is told: files, rights and folders get lost."""

from contextlib import nullcontext
from inspect import unwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import PedigreeError, SettingsError
from configs.load import parse_settings
from configs.sections import Source
from tasks.domain.images.rejections import Reason
from tasks.domain.ingestion.source_objects import Snapshot
from tasks.domain.ingestion.triggers import check_vanished
from tasks.ingestion import ingest as ingesting
from tasks.ingestion.snapshot import snapshot
from tasks.stores.store import Store
from tasks.watching.watch_source import poll_source
from tests.tasks.lossy_sources import BREEDS, EACH, EverythingIsAPicture, World, new_world, ordinary_again

FEW = 5


@pytest.fixture(autouse=True)
def _no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingesting, "Decoder", EverythingIsAPicture)
    monkeypatch.setattr(
        ingesting, "show_progress", lambda *_, **_named: nullcontext(lambda _more, _seconds=None, /: None)
    )


def test_an_empty_mount_point_is_no_deletion(tmp_path: Path) -> None:
    """A source that is empty at once stops the run, and the next one knows what there was."""
    world = World(tmp_path)
    world.run()
    world.photos.rename(tmp_path / "elsewhere")
    world.photos.mkdir()
    (world.photos / "pug").mkdir()
    (world.photos / "pug" / "new.jpg").write_bytes(b"left on the disk below")
    with pytest.raises(
        PedigreeError, match=r"36 of the 36 objects .* boxer/00\.jpg.* --set 'source\.vanished=at most 1'\."
    ):
        world.run()
    assert len(Store(world.store).snapshots.stored(str(world.photos))) == 36
    assert "36 of the 36" in unwrap(poll_source.fn)(world.settings).why


def test_a_source_with_nothing_left_says_what_it_held(tmp_path: Path) -> None:
    """An empty source that held photographs asks for its disk; one that never did asks for photographs."""
    world = World(tmp_path)
    world.run()
    world.photos.rename(tmp_path / "elsewhere")
    world.photos.mkdir()
    with pytest.raises(PedigreeError, match=r"is empty, and held 36 objects before: .* disk is mounted"):
        world.run()
    (tmp_path / "new").mkdir()
    with pytest.raises(PedigreeError, match=r"is empty: put photographs into it"):
        unwrap(snapshot.fn)(Source(url=str(tmp_path / "new")), world.settings.store)


def test_a_class_folder_that_is_empty_is_asked_about(tmp_path: Path) -> None:
    """A class that is gone as a whole is asked about, also where it is a small share of the source."""
    world = World(tmp_path, "at most 0.9")
    world.run()
    world.remove("husky")
    with pytest.raises(PedigreeError, match=r"All 12 objects of the folder husky .* lets no whole folder go"):
        world.run()
    assert unwrap(poll_source.fn)(world.settings).state == "Vanished"


def test_what_is_meant_is_said_once(tmp_path: Path) -> None:
    """A person's word lets one run see that most is gone, and the runs after it know no more of it."""
    world = World(tmp_path)
    world.run()
    world.remove("husky")
    world.remove("pug", 6)
    with pytest.raises(PedigreeError, match="18 of the 36"):
        world.run()
    world.run("at most 1")
    assert len(world.stored()) == 18
    assert world.run().changed == 0


def test_half_of_the_files_without_rights_is_asked_about_until_it_is_mended() -> None:
    """Photographs that were exchanged and cannot be read stop one run like the next, until somebody mends it."""
    with new_world() as world:
        world.run()
        for _ in range(2):
            with ordinary_again(world):
                world.lock("pug")
            with pytest.raises(PedigreeError, match=r"12 of the 36 .* such as pug/00\.jpg.*\(Permission denied\)"):
                world.run()
        with ordinary_again(world):
            for path in (world.photos / "pug").iterdir():
                path.chmod(0o644)
                path.write_bytes(path.read_bytes() + b" and again")
        world.run()
        assert len(world.stored()) == 36


def test_a_first_run_that_may_read_nothing_is_asked_about() -> None:
    """Where most objects of a new source are refused, the rights are wrong, and not the objects."""
    with new_world() as world:
        with ordinary_again(world):
            world.lock("pug")
        with pytest.raises(PedigreeError, match=r"12 of the 36 .*Permission denied"):
            world.run()
        world.run("at most 1")
        rejected = Store(world.store).snapshots.rejected(str(world.photos))
        assert {rejection.reason for rejection in rejected.values()} == {Reason.CANNOT_BE_READ}
        world.run()


def test_photographs_that_move_are_not_gone(tmp_path: Path) -> None:
    """A class under another name, and files that only link to what is there, are no loss."""
    world = World(tmp_path)
    world.run()
    (world.photos / "husky").rename(world.photos / "Siberian husky")
    world.run()
    assert len(set(world.stored().values())) == 36


def test_a_few_are_tidied_up_without_a_question() -> None:
    """Of few objects nothing is said, whatever their share."""
    source = parse_settings({"source": {"url": "photos"}, "store": {"url": "store"}}, "test").source
    keys = [f"pug/{number}.jpg" for number in range(FEW)]
    assert check_vanished(source, keys, keys[:-1]) == ""
    assert check_vanished(source, keys, keys) != ""


@pytest.mark.parametrize("rule", [0.5, "0.5", "at most 2", "at least 0.3", "at most 30%", "at most 0.3 else ask"])
def test_a_rule_that_is_none_is_refused(rule: object) -> None:
    """What is no rule of this kind is refused with the settings, in the words of one that is."""
    with pytest.raises(SettingsError, match=r"source\.vanished = .* is no such rule: write at most 0\.3"):
        parse_settings({"source": {"url": "photos", "vanished": rule}, "store": {"url": "store"}}, "test")


def test_what_is_passed_over_now_is_not_gone() -> None:
    """A store that knows pictures of a bin, from before bins were passed over, is not asked about them."""
    source = parse_settings({"source": {"url": "photos"}, "store": {"url": "store"}}, "test").source
    keys = [f".Trash-1000/{number}.jpg" for number in range(50)]
    assert check_vanished(source, [*keys, "pug/1.jpg"], keys) == ""


def test_a_watcher_that_cannot_list_a_folder_says_so() -> None:
    """A look at a source of which a folder cannot be listed starts nothing, and names the folder."""
    with new_world() as world:
        world.run()
        with ordinary_again(world):
            (world.photos / "husky").chmod(0)
        with pytest.raises(PedigreeError, match="/husky cannot be listed"):
            unwrap(poll_source.fn)(world.settings)


EVENTS = st.tuples(
    st.sampled_from(["remove", "lock", "hide", "come", "mend"]),
    st.sampled_from(BREEDS),
    st.integers(1, EACH),
)


def _happens(world: World, kind: str, breed: str, number: int) -> None:
    folder = world.photos / breed
    if kind == "remove":
        world.remove(breed, number)
    elif kind == "lock":
        world.lock(breed, number)
    elif kind == "hide":
        folder.chmod(0)
    elif kind == "come":
        (folder / f"new {number}.jpg").write_bytes(f"new {breed} {number}".encode())
    else:
        for path in [*world.photos.iterdir(), *world.photos.rglob("*.jpg")]:
            path.chmod(0o755)


def _tried(world: World) -> tuple[Snapshot | None, str]:
    try:
        return world.run(), ""
    except PedigreeError as problem:
        return None, str(problem)


@settings(max_examples=30)
@given(st.lists(st.lists(EVENTS, max_size=3), min_size=1, max_size=5))
def test_no_known_photograph_vanishes_without_a_word(history: list[list[tuple[str, str, int]]]) -> None:
    """Whatever happens to a source, a photograph that a run no longer knows is deleted or rejected by its key.

    A run that stops has answered nothing, so that the next one still knows what there was, and a folder that nobody
    can list never passes for an empty one.
    """
    with new_world() as world:
        world.run()
        for events in history:
            with ordinary_again(world):
                for event in events:
                    _happens(world, *event)
                on_disk = {path.relative_to(world.photos).as_posix() for path in world.photos.rglob("*.jpg")}
                hidden = {path.name for path in world.photos.iterdir() if not path.stat().st_mode & 0o400}
            answered = world.answered()
            before = world.stored(answered)
            listed, refusal = _tried(world)
            if listed is None:
                assert ("cannot be listed" if hidden else "source.vanished") in refusal
                assert (world.answered(), world.stored(answered)) == (answered, before)
                continue
            assert not hidden
            after = world.stored()
            lost = [key for key, image in before.items() if key not in after and image not in after.values()]
            rejected = Store(world.store).snapshots.rejected(str(world.photos))
            assert all(key in rejected for key in lost if key in on_disk)
            assert listed.altered >= len(lost)
            assert len(lost) < FEW or len(lost) <= 0.3 * len(before)
            gone = {breed: [key for key in lost if key.startswith(breed)] for breed in BREEDS}
            remaining = {key.partition("/")[0] for key in after}
            assert all(len(keys) < FEW or breed in remaining for breed, keys in gone.items())

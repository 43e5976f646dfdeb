"""What a folder that strangers fill may hold: no entry stops a listing or a read, and each is named or counted."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import PedigreeError
from tasks.domain.images.rejections import Reason
from tasks.domain.ingestion.source_objects import LINKS, SourceFilter
from tasks.stores.objects.folder_walk import displayed
from tasks.stores.objects.object_store import ObjectChangedError, UnreadableObjectError, open_bucket
from tests.ordinary_user import open_folder, ordinary_user


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Folder with one photograph."""
    (tmp_path / "pug").mkdir()
    (tmp_path / "pug" / "1.jpg").write_bytes(b"photograph")
    return tmp_path


@pytest.fixture
def shared() -> Iterator[Path]:
    """Folder with two photographs that an ordinary user can reach."""
    with open_folder() as folder:
        for breed in ("husky", "pug"):
            (folder / breed).mkdir()
            (folder / breed / "1.jpg").write_bytes(b"photograph")
        yield folder


def keys_of(source: Path, names: SourceFilter | None = None) -> list[str]:
    """List a folder as a source, with what it passes over."""
    return [entry.key for entry in open_bucket(str(source)).entries(names=names or SourceFilter())]


def refusal(source: Path, key: str) -> UnreadableObjectError:
    """Read an object that cannot be read."""
    entry = next(item for item in open_bucket(str(source)).entries(names=SourceFilter()) if item.key == key)
    with pytest.raises(UnreadableObjectError) as caught:
        open_bucket(str(source)).read(key, entry.etag)
    return caught.value


def make_socket(path: Path) -> None:
    """Leave a socket behind; its address may be longer than a socket's may be, so that it is made from within."""
    folder = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(folder)


@pytest.mark.parametrize(
    "make", [os.mkfifo, make_socket, lambda path: path.symlink_to(path.name)], ids=["pipe", "socket", "loop"]
)
def test_what_is_no_file_is_listed_and_refused_by_name(source: Path, make: object) -> None:
    """A pipe, a socket and a link to itself are one object each that is no regular file, and nothing waits for them."""
    assert callable(make)
    make(source / "pug" / "odd.jpg")
    assert keys_of(source) == ["pug/1.jpg", "pug/odd.jpg"]
    assert refusal(source, "pug/odd.jpg").reason is Reason.NOT_A_FILE


@pytest.mark.parametrize("name", [b"K\xf6nig.jpg", b"K\xf6nig"])
def test_a_name_that_is_no_utf_8_is_one_object(source: Path, name: bytes) -> None:
    """A file, or a whole folder, whose name is no UTF-8 is one object whose key shows the bytes."""
    path = source / "pug" / os.fsdecode(name)
    if path.suffix:
        path.write_bytes(b"photograph")
    else:
        (path / "inner").mkdir(parents=True)
    key = "pug//" + name.decode(errors="backslashreplace")
    assert keys_of(source) == [key, "pug/1.jpg"]
    assert refusal(source, key).reason is Reason.UNUSABLE_NAME


@given(st.lists(st.binary(min_size=1, max_size=8).filter(lambda name: not {0, 47} & {*name}), unique=True))
def test_no_two_names_that_are_no_utf_8_have_one_key(names: list[bytes]) -> None:
    """Names are written apart where their bytes are, also where a name holds what looks like such a byte."""
    shown = [displayed(os.fsdecode(name)) for name in names]
    assert len({*shown}) == len(names)
    assert all(name.encode() for name in shown)


def test_a_name_that_looks_like_such_bytes_keeps_its_own_key(source: Path) -> None:
    """A name that spells the bytes of another one in letters is another object."""
    (source / "pug" / "K\\xf6nig.jpg").write_bytes(b"spelled")
    (source / "pug" / os.fsdecode(b"K\xf6nig.jpg")).write_bytes(b"in bytes")
    assert keys_of(source) == ["pug//K\\xf6nig.jpg", "pug/1.jpg", "pug/K\\xf6nig.jpg"]
    assert open_bucket(str(source)).read("pug/K\\xf6nig.jpg") == b"spelled"


def test_links_in_circles_end(source: Path) -> None:
    """Links to where one comes from are passed over and counted: the listing has no more than the files."""
    for breed in ("boxer", "husky"):
        (source / breed).mkdir()
    for number in range(6):
        for breed in ("boxer", "husky", "pug"):
            (source / breed / f"up{number}").symlink_to("..")
    (source / "again").symlink_to(".")
    names = SourceFilter()
    assert keys_of(source, names) == ["pug/1.jpg"]
    assert names.counts() == ((LINKS, 19),)


def test_links_that_leave_or_lead_nowhere_or_to_what_is_listed_are_counted(source: Path) -> None:
    """What lies outside is never listed, by a link to a folder or to a file, and a photograph is listed once."""
    (source / "etc").symlink_to("/etc")
    (source / "pug" / "passwd.jpg").symlink_to("/etc/passwd")
    (source / "pug" / "zero.jpg").symlink_to("/dev/zero")
    (source / "pug" / "gone.jpg").symlink_to("no-such-file")
    (source / "pug" / "twin.jpg").symlink_to("1.jpg")
    names = SourceFilter()
    assert keys_of(source, names) == ["pug/1.jpg"]
    assert names.counts() == ((LINKS, 5),)


def test_links_to_what_only_they_lead_to_are_photographs(source: Path) -> None:
    """Where programs keep files in a folder of their own and link to them, the links are the photographs."""
    (source / ".cache" / "boxers").mkdir(parents=True)
    (source / ".cache" / "ab12").write_bytes(b"cached")
    (source / ".cache" / "boxers" / "2.jpg").write_bytes(b"boxer")
    (source / "pug" / "2.jpg").symlink_to("../.cache/ab12")
    (source / "boxer").symlink_to(".cache/boxers")
    assert keys_of(source) == ["boxer/2.jpg", "pug/1.jpg", "pug/2.jpg"]
    assert open_bucket(str(source)).read("pug/2.jpg") == b"cached"


def test_a_file_that_has_more_than_it_says_is_another_one() -> None:
    """A file that grows without an end is read no further than its size and one byte."""
    with pytest.raises(ObjectChangedError):
        open_bucket("/proc/self").read("smaps")


def test_a_file_from_the_far_future_is_listed(source: Path) -> None:
    """A file whose time no calendar holds is an object like any other."""
    os.utime(source / "pug" / "1.jpg", (2**40, 2**40))
    assert keys_of(source) == ["pug/1.jpg"]
    assert open_bucket(str(source)).read("pug/1.jpg") == b"photograph"


def test_a_path_longer_than_the_system_opens_is_one_object(source: Path) -> None:
    """Folders in folders beyond the longest path are one object with an unusable name."""
    folder = Path.cwd()
    os.chdir(source)
    try:
        for _ in range(20):
            Path("d" * 250).mkdir()
            os.chdir("d" * 250)
    finally:
        os.chdir(folder)
    deep, photograph = keys_of(source)
    assert photograph == "pug/1.jpg"
    assert refusal(source, deep).reason is Reason.UNUSABLE_NAME


def test_a_file_without_rights_is_one_object(shared: Path) -> None:
    """A file that this user may not read is listed, and refused by name."""
    (shared / "pug" / "1.jpg").chmod(0)
    with ordinary_user():
        assert keys_of(shared) == ["husky/1.jpg", "pug/1.jpg"]
        refused = refusal(shared, "pug/1.jpg")
    assert (refused.reason, refused.detail) == (Reason.CANNOT_BE_READ, "Permission denied")


@pytest.mark.parametrize("rights", [0o000, 0o400, 0o100])
def test_a_folder_that_cannot_be_listed_is_named(shared: Path, rights: int) -> None:
    """Nothing of a folder that this user may not list or enter may look deleted: the listing stops and names it."""
    (shared / "husky").chmod(rights)
    with (
        ordinary_user(),
        pytest.raises(PedigreeError, match=r"/husky cannot be listed \(Permission denied\)") as caught,
    ):
        keys_of(shared)
    assert not isinstance(caught.value, UnreadableObjectError)
    assert "\n" not in str(caught.value)


def test_a_bin_without_rights_is_passed_over(shared: Path) -> None:
    """What a system keeps for itself is not even asked for its entries."""
    (shared / "lost+found").mkdir()
    (shared / "lost+found").chmod(0)
    with ordinary_user():
        assert keys_of(shared) == ["husky/1.jpg", "pug/1.jpg"]

"""Plain folders and files for people appear whole or not at all."""

import errno
import hashlib
from pathlib import Path

import pytest

from configs.errors import PedigreeError
from tasks.stores.files.export_folder import make_folders, new_folder, write_file, write_images


def stopped(target: Path, error: BaseException) -> None:
    """Begin to fill a folder, and stop by this error."""
    with new_folder(target) as folder:
        (folder / "half").write_bytes(b"half")
        raise error


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError()])
def test_a_folder_that_was_not_finished_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    """Whatever stops the work, neither the folder nor what it was written to is left; a full disk is said in words."""
    with pytest.raises((PedigreeError, KeyboardInterrupt, ValueError)) as caught:
        stopped(tmp_path / "out", error)
    assert "is full" in str(caught.value) or not error.args
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    """While it is filled, nothing lies under the folder's name."""
    with new_folder(tmp_path / "out") as folder:
        (folder / "one").write_bytes(b"1")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "one").read_bytes() == b"1"


def test_places_that_are_taken(tmp_path: Path) -> None:
    """A file in the folder's place and what a killed checkout left are named, and stay."""
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "out.partial").mkdir()
    for name, words in (("file", "not an empty folder"), ("out", "in the way"), ("file/out", "cannot be written")):
        with pytest.raises(PedigreeError, match=words), new_folder(tmp_path / name):
            pass
    assert {path.name for path in tmp_path.iterdir()} == {"file", "out.partial"}


def test_a_link_to_an_empty_folder_is_filled(tmp_path: Path) -> None:
    """A link stays a link, and the folder behind it gets the files."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with new_folder(tmp_path / "link") as folder:
        (folder / "one").write_bytes(b"1")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "one").read_bytes() == b"1"


def test_two_classes_that_the_disk_takes_for_one(tmp_path: Path) -> None:
    """Where a second class finds its folder there already, as on disks that ignore case, nothing is mixed."""
    (tmp_path / "Pug").mkdir()
    with pytest.raises(PedigreeError, match="takes Pug and another class for the same folder"):
        make_folders(tmp_path, ["Pug", "boxer"])


def test_images_are_what_their_names_say(tmp_path: Path) -> None:
    """Every image is written to its path, in any number; bytes that are not those of the name are refused."""
    images = {hashlib.sha256(data).hexdigest(): data for data in (bytes([number]) * 9 for number in range(150))}
    done: list[int] = []
    write_images(tmp_path, {image: f"{image}.jpg" for image in images}, images.items(), done.append)
    assert {path.stem: path.read_bytes() for path in tmp_path.iterdir()} == images
    assert sum(done) == 150
    with pytest.raises(PedigreeError, match="is damaged in the store"):
        write_images(tmp_path, {"0" * 64: "x.jpg"}, [("0" * 64, b"other")], done.append)
    assert not (tmp_path / "x.jpg").exists()


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """A page that is written again takes the place of the former one, and leaves nothing beside it."""
    for data in (b"one", b"two"):
        write_file(tmp_path / "page.html", data)
    assert (tmp_path / "page.html").read_bytes() == b"two"
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(PedigreeError, match="cannot be written"):
        write_file(tmp_path / "nowhere" / "page.html", b"")

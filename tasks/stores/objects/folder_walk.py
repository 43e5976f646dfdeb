"""The files below a folder: what cannot be listed is an error, and no link leads in circles."""

import errno
import os
import stat
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from configs.errors import InaccessibleError
from tasks.domain.ingestion.source_objects import PARTIAL, SourceFilter

#: No name of a folder's file has two slashes: behind them stands one that is no UTF-8, its bytes as ``\xf6``.
UNUSABLE = "//"
_VANISHED = (FileNotFoundError, NotADirectoryError)


@dataclass
class Found:
    """The files of a folder, in no order; a file's status is what its folder says of it, without asking it again.

    Attributes:
        keys: Their paths from the root.
        places: The indices of those keys whose status is known.
        seconds: When these were written, in seconds.
        nanoseconds: The same in whole nanoseconds.
        inodes: Their inodes.
        sizes: Their sizes in bytes.
    """

    keys: list[str] = field(default_factory=list)
    places: "array[int]" = field(default_factory=lambda: array("q"))
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    nanoseconds: "array[int]" = field(default_factory=lambda: array("q"))
    inodes: "array[int]" = field(default_factory=lambda: array("Q"))
    sizes: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, key: str, entry: "os.DirEntry[str]") -> None:
        """Add a file that is no link, with its status where it has one that can be told.

        Args:
            key: Its path from the root.
            entry: What its folder says of it.
        """
        self.keys.append(key)
        try:
            status = entry.stat(follow_symlinks=False)
            self.nanoseconds.append(status.st_mtime_ns)
        except (OSError, OverflowError):  # Whoever reads the list asks the file itself, and says what is wrong with it.
            return
        self.places.append(len(self.keys) - 1)
        self.seconds.append(status.st_mtime)
        self.inodes.append(status.st_ino)
        self.sizes.append(status.st_size)


def files_below(root: str, start: str, names: SourceFilter | None) -> list[str]:
    """List the files below a folder of the root.

    In a source, a link is followed only where it stays inside the root and leads to what is not listed by its own path.
    In a store, a link is followed wherever it leads, but only once.

    Args:
        root: The folder from which paths are counted.
        start: Where to begin, below the root; empty, or with a slash at its end.
        names: What is passed over in a source, and counted; None in a store, where only half-written files are.

    Returns:
        The paths of the files from the root.

    Raises:
        PedigreeError: A folder cannot be listed, so that nobody knows what it holds.
    """
    return _walked(root, start, names, status=False).keys


def found_below(root: str, start: str, names: SourceFilter | None) -> Found:
    """List the same files as ``files_below`` with what their folders say of them.

    Args:
        root: The folder from which paths are counted.
        start: Where to begin, below the root; empty, or with a slash at its end.
        names: What is passed over in a source, and counted; None in a store.

    Returns:
        The files.

    Raises:
        PedigreeError: A folder cannot be listed.
    """
    return _walked(root, start, names, status=True)


def _walked(root: str, start: str, names: SourceFilter | None, *, status: bool) -> Found:
    walk = _Walk(root, names, status)
    walk.descend(start, os.path.realpath(f"{root}/{start}"))
    if walk.links:
        walk.follow_links()
    return walk.found


def displayed(name: str) -> str:
    r"""Return a name that is no UTF-8 with its bytes as ``\xf6``; no two names look the same."""
    return os.fsencode(name).replace(b"\\", b"\\\\").decode(errors="backslashreplace")


@dataclass
class _Walk:
    root: str
    names: SourceFilter | None
    status: bool
    found: Found = field(default_factory=Found)
    links: list[str] = field(default_factory=list)
    # The real paths of the folders that were listed: a link that leads to one of them leads back.
    listed: set[str] = field(default_factory=set)

    @property
    def files(self) -> list[str]:
        """Return the paths of the files that were found, to which more may be added."""
        return self.found.keys

    def descend(self, start: str, real: str) -> None:
        """List a folder and all below it, and collect links for later."""
        folders = [(start, real)]
        while folders:
            below, real_path = folders.pop()
            if real_path in self.listed:
                self._pass_over_link()
                continue
            self.listed.add(real_path)
            try:
                with os.scandir(f"{self.root}/{below}") as entries:
                    folders += [(f"{below}{name}/", f"{real_path}/{name}") for name in self._sorted_out(below, entries)]
            except _VANISHED:
                continue
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise unlisted(f"{self.root}/{below}", error) from error
                self.files.append(below.rstrip("/"))

    def _sorted_out(self, below: str, entries: Iterable["os.DirEntry[str]"]) -> list[str]:
        """Add files and links to their lists, and return the names of the folders that are to be listed."""
        folders = []
        for entry in entries:
            name = entry.name
            try:
                link = entry.is_symlink()
                folder = not link and entry.is_dir(follow_symlinks=False)
            except OSError:  # Where a folder does not say what its entries are, each is asked, and one may not answer.
                link = folder = False
            if not (name.isascii() or _is_utf8(name)):
                self._unusable(below, name, folder)
            elif link:
                self.links.append(below + name)
            elif folder:
                if not (self.names and self.names.skips_folder(name)):
                    folders.append(name)
            else:
                self._add_file(below + name, entry)
        return folders

    def _add_file(self, key: str, entry: "os.DirEntry[str]") -> None:
        if self._is_partial(entry.name):
            return
        if self.status:
            self.found.add(key, entry)
        else:
            self.files.append(key)

    def _is_partial(self, name: str) -> bool:
        return self.names.skips_file(name) if self.names else name.endswith(PARTIAL)

    def _unusable(self, below: str, name: str, folder: bool) -> None:  # noqa: FBT001 - what the entry is
        shown = displayed(name)
        if not (self.names and folder and self.names.skips_folder(shown)):
            self.files.append(f"{below}{UNUSABLE if below == '' else '/'}{shown}")

    def follow_links(self) -> None:
        """Follow the collected links, and those that turn up meanwhile, in the order of their paths."""
        inside = os.path.realpath(self.root).rstrip("/") + "/"
        known_files = set(self.files)
        while self.links:
            links, self.links = sorted(self.links), []
            for link in links:
                self._follow(link, inside, known_files)

    def _follow(self, link: str, inside: str, known_files: set[str]) -> None:
        path = f"{self.root}/{link}"
        try:
            target = os.stat(path)  # noqa: PTH116 - a Path for each file takes longer than asking the disk about it
        except OSError as error:
            if error.errno == errno.ELOOP:
                self.files.append(link)
            else:
                self._pass_over_link()
            return
        real = os.path.realpath(path)
        leaves = self.names is not None and not f"{real}/".startswith(inside)
        name = link.rpartition("/")[2]
        if stat.S_ISDIR(target.st_mode):
            if leaves or real in self.listed:
                self._pass_over_link()
            elif not (self.names and self.names.skips_folder(name)):
                self.descend(f"{link}/", real)
        elif leaves or (self.names and real.removeprefix(inside) in known_files):
            self._pass_over_link()
        elif not self._is_partial(name):
            self.files.append(link)

    def _pass_over_link(self) -> None:
        if self.names:
            self.names.skip_link()


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def unlisted(folder: str, error: OSError) -> InaccessibleError:
    """Describe that a folder cannot be listed, so that none of its files may count as deleted.

    Args:
        folder: The folder.
        error: What the system says.

    Returns:
        The error to raise.
    """
    return InaccessibleError(
        f"The folder {folder.rstrip('/')} cannot be listed ({error.strerror}), and nothing of it may count as deleted: "
        "give this user the right to, or mend the disk."
    )

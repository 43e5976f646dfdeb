"""References: which object of the source a manifest means, by a whole path below the source or below a given root."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cached_property
from unicodedata import normalize
from urllib.parse import parse_qs, unquote, urlsplit

_LOCAL, _FILE, _WEB = "/local-files/", "file://", ("http://", "https://")
_EXTENSIONS = frozenset(
    {"avif", "bmp", "gif", "heic", "heif", "jfif", "jpeg", "jpg", "jxl", "png", "tif", "tiff", "webp"}
)


class KeyIndex:
    """An index of a source's keys by the references that may name them; the end of a path alone never matches."""

    def __init__(self, keys: Collection[str], source: str, root: str = "") -> None:
        """Create the index; lookup tables are built when they are first needed.

        Args:
            keys: All keys of the source.
            source: The address of the source.
            root: Where references start: a folder of the source, or what stands before its keys (such as /); may be
                empty.
        """
        self._keys = keys
        self._source = _folder_path(source)
        self._root = _folder_path(root)
        self._rooted = bool(root)

    def find_keys(self, reference: str, *, stems: bool = False) -> tuple[str, ...]:
        """Return the keys that a reference may mean.

        Args:
            reference: A key, an address, or the path of one of Label Studio's local files.
            stems: Whether the reference may lack its extension.

        Returns:
            The keys, sorted: none where nothing matches, several where the reference is ambiguous.
        """
        if reference in self._keys and not (stems or self._rooted):
            return (reference,)
        paths = self._paths(reference)
        matches = {key for path in paths for key in self._same(path)}
        if stems:
            matches.update(key for path in paths for key in self._by_stem.get(_normalize(path), ()))
        return tuple(sorted(matches))

    def _paths(self, reference: str) -> tuple[str, ...]:
        """Return the paths below the source that a reference can stand for."""
        path = _local_file(reference) if _LOCAL in reference else reference
        below = _relative_path(path, self._source)
        if below is not None:
            return (below,)
        if not self._rooted:
            return (path,)
        below = _relative_path(path, self._root)
        if self._root_is_inside:
            return (f"{self._root}/{path}",) if below is None else (path, f"{self._root}/{path}")
        return (path,) if below is None else (below,)

    @cached_property
    def _root_is_inside(self) -> bool:
        """Whether the root is a folder of the source; otherwise it stands before the keys."""
        start = f"{_normalize(self._root)}/"
        return any((key if key.isascii() else _normalize(key)).startswith(start) for key in self._keys)

    def _same(self, path: str) -> Collection[str]:
        """Return the key that equals this path, or the keys that only differ in their Unicode normalization."""
        if path in self._keys:
            return (path,)
        if path.startswith("./"):
            return self._same(path[2:]) if not path.startswith("././") else ()
        return () if path.isascii() else self._by_composed.get(_normalize(path), ())

    @cached_property
    def _by_composed(self) -> Mapping[str, list[str]]:
        keys: defaultdict[str, list[str]] = defaultdict(list)
        for key in self._keys:
            if not key.isascii():
                keys[_normalize(key)].append(key)
        return keys

    @cached_property
    def _by_stem(self) -> Mapping[str, list[str]]:
        stems: defaultdict[str, list[str]] = defaultdict(list)
        for key in self._keys:
            stem, dot, extension = key.rpartition(".")
            if dot and extension.casefold() in _EXTENSIONS:
                stems[_normalize(stem)].append(key)
        return stems


def _normalize(path: str) -> str:
    return normalize("NFC", path)


def _folder_path(address: str) -> str:
    return _path(address).rstrip("/")


def _path(address: str) -> str:
    """Convert a file:// address to a path, and decode the escapes of a web address."""
    if address.startswith(_WEB):
        return unquote(without_query(address))
    return unquote(address.removeprefix(_FILE)) if address.startswith(_FILE) else address


def without_query(reference: str) -> str:
    """Remove query and fragment of a web address: they name no object, and may hold a signature that grants access."""
    return re.split("[?#]", reference, maxsplit=1)[0] if reference.startswith(_WEB) else reference


def _relative_path(path: str, folder: str) -> str | None:
    """Return the path relative to a folder, compared in composed characters; None where it is not inside."""
    start = f"{folder}/"
    file_path = _path(path)
    if file_path.startswith(start):
        return file_path[len(start) :]
    if file_path.isascii() and start.isascii():
        return None
    file_path, start = _normalize(file_path), _normalize(start)
    return file_path[len(start) :] if file_path.startswith(start) else None


def _local_file(reference: str) -> str:
    """Return the path of a file that Label Studio serves itself, from its address /data/local-files/?d=…."""
    try:
        named = parse_qs(urlsplit(reference).query).get("d", [])
    except ValueError:
        return reference
    return named[0].strip("/") if len(named) == 1 else reference

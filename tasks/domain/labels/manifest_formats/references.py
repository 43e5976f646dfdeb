"""Which object a manifest's reference means: a whole path below the source, or below one stated root."""

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
    """The keys of a source, to be asked for what a reference names; never by a tail of its path.

    Args:
        keys: All keys of the source.
        source: Its address.
        root: Where references start: a folder of the source, or what stands before its keys (/ too); may be empty.
    """

    def __init__(self, keys: Collection[str], source: str, root: str = "") -> None:
        """Keep the keys as they are; what compares them otherwise is made when first needed."""
        self._keys = keys
        self._source = _folder_path(source)
        self._root = _folder_path(root)
        self._rooted = bool(root)

    def named(self, reference: str, *, stems: bool = False) -> tuple[str, ...]:
        """Return the keys that a reference may mean: one, if it is plain; more, if it is ambiguous; or none.

        Args:
            reference: A key, an address, or the path of Label Studio's local file.
            stems: The reference may lack its extension.
        """
        if reference in self._keys and not (stems or self._rooted):
            return (reference,)
        paths = self._paths(reference)
        matches = {key for path in paths for key in self._same(path)}
        if stems:
            matches.update(key for path in paths for key in self._by_stem.get(_normalize(path), ()))
        return tuple(sorted(matches))

    def _paths(self, reference: str) -> tuple[str, ...]:
        """Write a reference as the paths below the source that it can be."""
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
        """Tell whether the root is a folder of the source, or else what stands before its keys."""
        start = f"{_normalize(self._root)}/"
        return any((key if key.isascii() else _normalize(key)).startswith(start) for key in self._keys)

    def _same(self, path: str) -> Collection[str]:
        """Return the key of this path, or those that are written in other code points and look the same."""
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
    """Write a file's address as its path, and a web page's in plain letters."""
    if address.startswith(_WEB):
        return unquote(without_query(address))
    return unquote(address.removeprefix(_FILE)) if address.startswith(_FILE) else address


def without_query(reference: str) -> str:
    """Take what follows ``?`` off a web address: it names no object, and may be a signature that opens it."""
    return re.split("[?#]", reference, maxsplit=1)[0] if reference.startswith(_WEB) else reference


def _relative_path(path: str, folder: str) -> str | None:
    """Return what follows a place in a path, compared in composed letters; None where it lies elsewhere."""
    start = f"{folder}/"
    file_path = _path(path)
    if file_path.startswith(start):
        return file_path[len(start) :]
    if file_path.isascii() and start.isascii():
        return None
    file_path, start = _normalize(file_path), _normalize(start)
    return file_path[len(start) :] if file_path.startswith(start) else None


def _local_file(reference: str) -> str:
    """Return the path of a file that Label Studio serves itself, at /data/local-files/?d=…."""
    try:
        named = parse_qs(urlsplit(reference).query).get("d", [])
    except ValueError:
        return reference
    return named[0].strip("/") if len(named) == 1 else reference

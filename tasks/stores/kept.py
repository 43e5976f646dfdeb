"""What the steps of a run read from a store one after the other, kept in memory within a bound."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Protocol, TypeVar, cast

# A million images take about 700 MB: a version and its parent, the splits, and the names of images and features.
_VALUES, _BYTES = 12, 2**30


class Sized(Protocol):
    """A value that knows how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """The bytes that it takes."""


T = TypeVar("T", bound=Sized)


class KeptValues:
    """Values by keys that say all that they depend on; those that nobody asked for longest make room for others."""

    def __init__(self, most_values: int, most_bytes: int) -> None:
        """Keep nothing yet.

        Args:
            most_values: So many values are kept.
            most_bytes: So much memory may they take together.
        """
        self._most = most_values, most_bytes
        self._values, self._lock = OrderedDict[Hashable, Sized](), Lock()

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return a value, which is read where it is not kept.

        Args:
            key: All that the value depends on.
            read: Reads it.

        Returns:
            The value; who asks twice may get the same object.
        """
        with self._lock:
            kept = self._values.get(key)
        value = read() if kept is None else cast("T", kept)
        self.put(key, value)
        return value

    def put(self, key: Hashable, value: Sized) -> None:
        """Keep a value.

        Args:
            key: All that the value depends on.
            value: The value.
        """
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            values, size = self._most
            # What is kept may have grown since.
            while len(self._values) > values or sum(kept.nbytes for kept in self._values.values()) > size:
                self._values.popitem(last=False)


#: What this process keeps.
KEPT = KeptValues(_VALUES, _BYTES)

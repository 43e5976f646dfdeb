"""Admission: how many photographs the service takes on at once, and when whoever is refused may come again."""

from dataclasses import dataclass
from math import ceil

# Nobody is told to wait longer, in seconds: the load may be gone by then.
_LONGEST_WAIT = 60
# How much one photograph changes the running mean of what photographs take.
_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the service takes on: a photograph a core at work, and a bounded number that waits.

    Attributes:
        cores: The photographs that are worked on at once.
        queue: The photographs that may wait for a core.
    """

    cores: int
    queue: int

    @property
    def most(self) -> int:
        """Return the most photographs that are there at once."""
        return self.cores + self.queue

    def admits(self, present: int, photographs: int) -> bool:
        """Return whether a request is taken on; all its photographs are, or none.

        Args:
            present: The photographs that are at work or wait.
            photographs: Those of the request.

        Returns:
            Whether there is room for them. A request that is larger than all there is gets its turn when nobody else
            is there.
        """
        return present == 0 or present + photographs <= self.most

    def retry_after(self, present: int, seconds: float) -> int:
        """Return when there will be room again.

        Args:
            present: The photographs that are at work or wait.
            seconds: What one photograph takes of a core.

        Returns:
            Whole seconds, 1 at least.
        """
        return min(_LONGEST_WAIT, max(1, ceil(present * seconds / self.cores)))


def update_mean(mean: float, seconds: float) -> float:
    """Return the running mean of what photographs take, which forgets what was long ago.

    Args:
        mean: The mean so far, in seconds; 0 before there is one.
        seconds: What the last photograph took.

    Returns:
        The mean in seconds.
    """
    return seconds if not mean else mean + _SHARE * (seconds - mean)

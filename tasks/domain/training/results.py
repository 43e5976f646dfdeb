"""Features in the store: which backbone made them, and how many there are."""

from dataclasses import dataclass

from tasks.domain.phrasing import count


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features in the store: the fingerprint of the backbone that made them, and how many numbers an image has."""

    fingerprint: str
    width: int


@dataclass(frozen=True, slots=True)
class DatasetFeatures:
    """Features in the store: of every image under today's backbone, of the test images under the champion's.

    ``latency`` is how long today's takes for one image, from its bytes, in milliseconds on this machine. ``choice``
    says why today's ends where it does, if ``backbone.cut: auto`` came to mean that; else it is empty.
    """

    current: FeatureSet
    champion: FeatureSet
    computed: int
    reused: int
    latency: float | None = None
    choice: str = ""

    def __str__(self) -> str:
        """Say how many images went through the backbone and how many did not need to."""
        return (
            f"{count(self.computed, 'image')} through backbone {self.current.fingerprint[:12]}, {self.reused:,} reused"
        )

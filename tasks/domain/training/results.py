"""Results of the features step: the features in the store, by the backbones of challenger and champion."""

from dataclasses import dataclass

from tasks.domain.phrasing import count


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features in the store.

    Attributes:
        fingerprint: The hash that identifies the backbone.
        width: The number of features of an image.
    """

    fingerprint: str
    width: int


@dataclass(frozen=True, slots=True)
class DatasetFeatures:
    """The features of a dataset version.

    Attributes:
        current: Features of every image, by the current backbone.
        champion: Features of the test images, by the champion's backbone.
        computed: How many images were embedded.
        reused: How many images had features in the store.
        latency: Milliseconds from an image's bytes to its features on this machine; None where it was not measured.
        choice: Why the backbone is cut where it is, where ``backbone.cut: auto`` chose that; else empty.
        judged: The champion's backbone in the ledger, where that is another one than the current; on a machine that is
            kept apart, or with a newer engine, its features stand under the fingerprint in ``champion``.
    """

    current: FeatureSet
    champion: FeatureSet
    computed: int
    reused: int
    latency: float | None = None
    choice: str = ""
    judged: str = ""

    def __str__(self) -> str:
        """Describe how many images were embedded, and how many had features already."""
        return (
            f"{count(self.computed, 'image')} through backbone {self.current.fingerprint[:12]}, {self.reused:,} reused"
        )

"""The labels of a run: how many images have one, and what a manifest names in vain."""

from dataclasses import dataclass

from tasks.domain.labels.manifest_formats.use import ManifestUse
from tasks.domain.phrasing import count


@dataclass(frozen=True, slots=True)
class Labels:
    """Which image has which label; the rows lie in the store under ``name``."""

    name: str
    images: int
    unlabelled: int
    conflicts: int
    left_out: int
    missing: int
    forgotten: int
    manifest: ManifestUse | None = None

    def __str__(self) -> str:
        """Say how many images have a label, have none, have two, or are left out, and what a manifest names in vain."""
        parts = [f"{count(self.images, 'labelled image')}, {self.unlabelled:,} without a label"]
        parts += [count(self.conflicts, "conflict")] if self.conflicts else []
        parts += [f"{self.left_out:,} of classes left out"] if self.left_out else []
        parts += [f"{self.forgotten:,} removed for good"] if self.forgotten else []
        return "; ".join((", ".join(parts), *(self.manifest.sentences() if self.manifest else ())))

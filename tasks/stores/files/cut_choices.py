"""Which cut ``backbone.cut: auto`` came to mean for a store: chosen once, and never changed by itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of
from tasks.stores.files import checksums
from tasks.stores.objects.object_store import ObjectChangedError, open_bucket

if TYPE_CHECKING:
    from configs import schema


@dataclass(frozen=True, slots=True)
class CutChoice:
    """The cut, the day on which it was chosen, and why."""

    cut: str
    day: str
    reason: str

    def __str__(self) -> str:
        """Say what auto means, since when, and why."""
        return f"backbone.cut auto means {self.cut} since {self.day}: {self.reason}"


def write_choice(
    url: str, backbone: "schema.Backbone", cut: str, reason: str, measured: Mapping[str, Any]
) -> CutChoice:
    """Write down what auto means under these weights and this size; return what stands, which may be another's word.

    Args:
        url: The store.
        backbone: The weights and the size that the choice is for.
        cut: The cut that was chosen.
        reason: Why, in a sentence.
        measured: The comparison that it comes from; empty where nothing was measured.

    Returns:
        The first choice that was written: of several nights at once, all obey it.
    """
    facts = {"cut": cut, "day": datetime.now(UTC).date().isoformat(), "reason": reason, "measured": measured}
    checksums.create(url, _key(backbone), json.dumps(facts, ensure_ascii=False, indent=1).encode())
    choice = read_choice(url, backbone)
    if choice is None:
        raise PedigreeError(f"The file {_key(backbone)} has vanished from {url}: run the night again.")
    return choice


def read_choice(url: str, backbone: "schema.Backbone") -> CutChoice | None:
    """Return what auto means under these weights and this size; None where nobody has chosen yet."""
    key = _key(backbone)
    try:
        facts = json.loads(open_bucket(url).read(key))
        return CutChoice(str(facts["cut"]), str(facts["day"]), str(facts["reason"]))
    except ObjectChangedError:
        return None
    except (ValueError, KeyError, TypeError):
        raise PedigreeError(
            f"The file {key} in {url} is damaged: put it back from a copy, or set backbone.cut."
        ) from None


def _key(backbone: "schema.Backbone") -> str:
    """Name the choice by what it is for; a weights file is known by its hash, wherever it lies."""
    weights = backbone.sha256 if backbone.is_file else backbone.weights
    return f"cuts/{sha256_of([weights, backbone.size])}.json"

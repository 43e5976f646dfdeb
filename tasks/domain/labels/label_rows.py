"""The rows of a labelling as they are stored and hashed, in columns."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from tasks.domain.columns import Codes, encode_rows, json_texts, spread, update_with_lines, whole
from tasks.domain.hashing import canonical_json
from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.labelled_images import (
    Claim,
    Conflict,
    LabelledImage,
    LabelledImages,
    Labelling,
    LocatedImage,
)

_ATTRIBUTES = pa.map_(pa.string(), pa.string())
#: Names and types of the columns.
LABEL_ROWS = pa.schema(
    [
        ("key", pa.string()),
        ("image", pa.string()),
        ("label", pa.string()),
        ("attributes", _ATTRIBUTES),
        ("origins", _ATTRIBUTES),
        ("problem", pa.string()),
    ]
)
_UNLABELLED, _CONFLICT, _LEFT_OUT, _MISSING = "unlabelled", "conflict", "left-out", "missing"

#: A label with attributes, origins and problem, which many rows share.
Kind = tuple[str, Attributes, Attributes, str]


@dataclass(frozen=True)
class LabelRows:
    """The rows of a labelling.

    Attributes:
        keys: The keys, texts.
        images: The images, texts; empty where only a manifest knows the key.
        codes: The number of each row's kind, int32 of shape (n_rows,).
        kinds: The kinds by number.
    """

    keys: pa.Array
    images: pa.Array
    codes: Codes
    kinds: tuple[Kind, ...]

    @classmethod
    def from_labelling(cls, labelling: Labelling) -> Self:
        """Put all parts of a labelling one below the other."""
        conflicting = [
            LabelledImage(key, conflict.image, label, (), ())
            for conflict in labelling.conflicts
            for label, key in conflict.claims
        ]
        unlabelled = [LabelledImage(row.key, row.image, "", (), ()) for row in labelling.unlabelled]
        missing = [LabelledImage(key, "", "", (), ()) for key in labelling.missing]
        parts = (labelling.labelled, labelling.left_out, unlabelled, conflicting, missing)
        problems = ("", _LEFT_OUT, _UNLABELLED, _CONFLICT, _MISSING)
        columns = [LabelledImages.of(part) for part in parts]
        first = np.cumsum([0, *(len(part.claims) for part in columns)])
        return cls(
            pa.concat_arrays([part.keys for part in columns]),
            pa.concat_arrays([part.images for part in columns]),
            np.concatenate([part.codes + start for part, start in zip(columns, first[:-1], strict=True)]),
            tuple((*claim, problem) for part, problem in zip(columns, problems, strict=True) for claim in part.claims),
        )

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """Read rows from a table whose columns are those of ``LABEL_ROWS``."""
        codes, kinds = encode_rows(table, LABEL_ROWS.names[2:])
        return cls(whole(table["key"]), whole(table["image"]), codes, tuple(kinds))

    def to_table(self) -> pa.Table:
        """Return the rows as a table whose columns are those of ``LABEL_ROWS``."""
        shared = zip(*self.kinds, strict=True) if self.kinds else [()] * 4
        fields = list(LABEL_ROWS)[2:]
        columns = [spread(values, self.codes, field.type) for values, field in zip(shared, fields, strict=True)]
        return pa.table([self.keys, self.images, *columns], schema=LABEL_ROWS)

    def to_labelling(self) -> Labelling:
        """Build the labelling again."""
        conflicts: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in self._part(_CONFLICT):
            conflicts[row.image].append((row.label, row.key))
        return Labelling(
            labelled=self._part(""),
            unlabelled=tuple(LocatedImage(row.key, row.image) for row in self._part(_UNLABELLED)),
            conflicts=tuple(Conflict(image, tuple(claims)) for image, claims in conflicts.items()),
            left_out=self._part(_LEFT_OUT),
            missing=tuple(row.key for row in self._part(_MISSING)),
        )

    def _part(self, problem: str) -> LabelledImages:
        claims: tuple[Claim, ...] = tuple(kind[:3] for kind in self.kinds)
        of_kind = np.array([kind[3] == problem for kind in self.kinds], np.bool_)
        every = LabelledImages(self.keys, self.images, self.codes, claims)
        return every if of_kind.all() else every.take(of_kind[self.codes])


def rows_hash(rows: LabelRows) -> str:
    """Compute the SHA-256 of the canonical JSON of a list of rows, each with its values by name."""
    digest = hashlib.sha256(b"[")
    before, after = _shared_json(rows.kinds, rows.codes)
    update_with_lines(digest, [before, json_texts(rows.images), ',"key":', json_texts(rows.keys), after], b",")
    digest.update(b"]")
    return digest.hexdigest()


def _shared_json(kinds: Iterable[Kind], codes: Codes) -> tuple[pa.Array, pa.Array]:
    """Return the JSON that many rows share: what stands before the image, and what stands after the key."""
    before, after = [], []
    for label, attributes, origins, problem in kinds:
        before.append(canonical_json({"attributes": attributes, "image": 0}).decode().removesuffix("0}"))
        rest = canonical_json({"label": label, "origins": origins, "problem": problem}).decode()
        after.append("," + rest.removeprefix("{"))
    return spread(before, codes, pa.string()), spread(after, codes, pa.string())

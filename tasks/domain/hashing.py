"""Hashing: the canonical form of values and the hashes that identify them."""

import hashlib
import hmac
import json
from collections.abc import Collection, Sequence
from typing import Any

from configs.errors import AmbiguousError

_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
)

# Digits of a hash that are shown to people, all that it has, and the most hashes that one sentence names.
_SHORT, _ALL, _MOST = 12, 64, 4


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
    """Return a value as JSON with sorted keys, without spaces and escapes, in UTF-8."""
    return _ENCODER.encode(value).encode()


def sha256_of(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """Return the SHA-256 of a value's canonical JSON: 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def row_checksum(name: str, data: bytes | memoryview) -> bytes:
    """Compute a checksum that binds a row's content to its name.

    Args:
        name: The name of the row.
        data: Its content.

    Returns:
        16 bytes; neither other bytes nor another row's content have the same ones.
    """
    digest = hashlib.sha256(f"{name}\n".encode())
    digest.update(data)
    return digest.digest()[:16]


def sha256_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of bytes: 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def name_apart(hashes: Sequence[str]) -> list[str]:
    """Return the first digits of different hashes, twelve at least and as many as tell them apart."""
    digits = next(n for n in range(_SHORT, _ALL + 1) if n == _ALL or len({name[:n] for name in hashes}) == len(hashes))
    return [name[:digits] for name in hashes]


def refuse_several(word: str, things: str, hashes: Collection[str]) -> None:
    """Check that the digits that a person gave fit no more than one hash.

    Args:
        word: The digits.
        things: What the hashes name, in the plural.
        hashes: Those that fit.

    Raises:
        AmbiguousError: Several fit; the first few are named.
    """
    if len(hashes) > 1:
        names = name_apart(sorted(hashes)[:_MOST])
        more = f" and {len(hashes) - _MOST:,} more" if len(hashes) > _MOST else ""
        raise AmbiguousError(f"{word} fits {len(hashes):,} {things}, {', '.join(names)}{more}: give more digits.")


def hash_photograph(data: bytes, salt: bytes = b"") -> str:
    """Return the name by which a client's photograph is written down.

    Args:
        data: The bytes of its file.
        salt: Makes names comparable only for whoever knows it; empty for plain SHA-256, by which ``pedigree data find``
            knows an image.

    Returns:
        64 hex digits.
    """
    return hmac.new(salt, data, hashlib.sha256).hexdigest() if salt else sha256_of_bytes(data)

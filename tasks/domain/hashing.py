"""Hashing: the canonical form of values and the hashes that identify them."""

import hashlib
import json
from typing import Any

_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
)


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

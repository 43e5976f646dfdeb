"""The one way in which values are written before they are hashed."""

import hashlib
import json
from typing import Any

_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
)


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
    """Write a value as JSON with sorted keys, no spaces, and letters as they are, in UTF-8."""
    return _ENCODER.encode(value).encode()


def sha256_of(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """Hash a value by its canonical JSON: 64 hex digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def row_checksum(name: str, data: bytes | memoryview) -> bytes:
    """Bind a row's content to its name: 16 bytes, so that neither other bytes nor another row's pass for it."""
    digest = hashlib.sha256(f"{name}\n".encode())
    digest.update(data)
    return digest.digest()[:16]


def sha256_of_bytes(data: bytes) -> str:
    """Name bytes by their SHA-256: 64 hex digits."""
    return hashlib.sha256(data).hexdigest()

"""Objects by a native client, obstore, for a fifth of boto3's work: it is told all that boto3 knows.

Address, addressing style, region, credentials, proxy and certificates are boto3's own. Where a request fails, for
whatever reason, boto3 asks again: its retries and its errors are the ones that count.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError
from botocore.utils import get_environ_proxies

from tasks.stores.objects.s3_client import TIMEOUTS, session_certificates, session_credentials

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from mypy_boto3_s3 import S3Client
    from obstore.store import S3Store

T = TypeVar("T")

# How long obstore keeps credentials that boto3 renews: it asks for new ones five minutes before they are said to end.
_KEPT = timedelta(minutes=6)
# A request is bounded by the time between two pieces of its answer, however long the whole takes.
_WHOLE = timedelta(days=1)
_PIECE = 2**20
# A proxy that no host is reached by: obstore would read the environment itself, by rules that are not boto3's.
_NO_PROXY = {"proxy_url": "http://127.0.0.1:9", "proxy_excludes": "*,0.0.0.0/0,::/0"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object as it was read.

    Attributes:
        data: Its bytes.
        version: Its version in a bucket that keeps versions; otherwise empty.
    """

    data: bytes
    version: str


def fetch(client: "S3Client", bucket: str, key: str, etag: str = "", version: str = "") -> Fetched | None:
    """Read an object.

    Args:
        client: Boto3's client.
        bucket: The bucket's name.
        key: The whole key.
        etag: The ETag that it must have; empty for any.
        version: The version that is wanted; empty for the newest.

    Returns:
        The object; None where boto3 is to tell why not.
    """

    def read(store: "S3Store") -> Fetched | None:
        answer = store.get(key, options=_options(etag, version))
        data, meta = bytes(answer.bytes()), answer.meta
        actual = (meta["e_tag"] or "").strip('"')
        complete = len(data) == meta["size"]
        return Fetched(data, meta["version"] or "") if complete and actual and etag in {"", actual} else None

    return _ask(client, bucket, key, read)


def digest(client: "S3Client", bucket: str, key: str) -> str | None:
    """Compute the SHA-256 of an object, a part at a time.

    Args:
        client: Boto3's client.
        bucket: The bucket's name.
        key: The whole key.

    Returns:
        64 hex digits; None where boto3 is to tell why not.
    """

    def read(store: "S3Store") -> str | None:
        answer, hashed = store.get(key), hashlib.sha256()
        size = 0
        for piece in answer.stream(min_chunk_size=_PIECE):
            hashed.update(piece)
            size += len(piece)
        return hashed.hexdigest() if answer.meta["e_tag"] and size == answer.meta["size"] else None

    return _ask(client, bucket, key, read)


def _options(etag: str, version: str) -> Any:  # noqa: ANN401 - obstore's own dictionary
    condition = {"if_match": f'"{etag}"'} if etag else {}
    return condition | ({"version": version} if version else {})


def _ask(client: "S3Client", bucket: str, key: str, read: Callable[["S3Store"], T | None]) -> T | None:
    if not _is_plain(key):
        return None
    from obstore.exceptions import BaseError

    with suppress(BaseError, OSError, ValueError, BotoCoreError):
        return read(_native_store(client, bucket))
    return None


def _is_plain(key: str) -> bool:
    """Check whether obstore takes a key as it is: it drops slashes at either end, and refuses some other keys."""
    return not any(part in {"", ".", ".."} for part in key.split("/"))


@cache
def _native_store(client: "S3Client", bucket: str) -> "S3Store":
    """Create obstore's client of a bucket; no request is made."""
    from obstore.store import S3Store

    certificates = session_certificates(client)
    endpoint, virtual = _endpoint(client, bucket)
    options: Any = {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=TIMEOUTS[0]),
        "read_timeout": timedelta(seconds=TIMEOUTS[1]),
        "timeout": _WHOLE,
        "user_agent": "pedigree obstore",
        **_proxy(endpoint),
        **({"root_certificate": Path(certificates).read_bytes()} if certificates else {}),
    }
    config: Any = {
        "endpoint": endpoint,
        "virtual_hosted_style_request": virtual,
        "region": client.meta.region_name or "us-east-1",
    }
    who: dict[str, Any] = _credentials(session_credentials(client))
    return S3Store(
        bucket, config=config | who.pop("config", {}), client_options=options, retry_config=_NO_RETRIES, **who
    )


# boto3 asks again, with all its tries.
_NO_RETRIES: Any = {"max_retries": 0}


def _endpoint(client: "S3Client", bucket: str) -> tuple[str, bool]:
    """Return what stands before a bucket's keys where boto3 asks, and whether the bucket is named by the host."""
    address = urlsplit(client.generate_presigned_url("head_bucket", Params={"Bucket": bucket}, ExpiresIn=1))
    base = f"{address.scheme}://{address.netloc}"
    if address.netloc.startswith(f"{bucket}."):
        return base, True
    return base + address.path.rstrip("/").removesuffix(f"/{bucket}"), False


def _proxy(endpoint: str) -> dict[str, str]:
    proxy = get_environ_proxies(endpoint).get(urlsplit(endpoint).scheme)
    if proxy:
        return {"proxy_url": proxy if "://" in proxy else f"http://{proxy}"}
    return _NO_PROXY if getproxies() else {}


def _credentials(credentials: "Credentials") -> dict[str, Any]:
    """Hand over credentials, or where they expire a function that asks boto3 for those of now."""

    def current() -> dict[str, Any]:
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _KEPT,
        }

    if isinstance(credentials, RefreshableCredentials):
        return {"credential_provider": current}
    given = current()
    keys = {name: given[name] for name in ("access_key_id", "secret_access_key")}
    return {"config": keys | ({"token": given["token"]} if given["token"] else {})}

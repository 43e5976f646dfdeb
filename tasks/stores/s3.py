"""An S3 bucket, by boto3; address, region and credentials come from the usual AWS places."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own, which is not Python's
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies, parse_timestamp

from configs.problems import Outage, Problem
from tasks.domain.listing import Entry
from tasks.domain.refusals import passing
from tasks.domain.source_filter import SourceFilter
from tasks.stores.s3_object import TAKEN, decoded, one_object

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, ListObjectsV2OutputTypeDef

# S3 gives a thousand keys a page. After so many pages the rest of a listing is split by folders, so many of them at
# once: a shorter one, or one of more folders, would ask more often than it saves.
_PAGE, _PAGES, _AT_ONCE, _FOLDERS = 1000, 10, 16, 1000
_CONNECTIONS = 32
_TIMEOUTS = (5, 60)  # Seconds to connect, and until the next bytes come.
_EXPIRES = 300  # Seconds that a signed address is good for; it is used at once.
_OK = 200
_WORDLESS = {"400", "403"}
_CLOSED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}


@cache
def s3_client() -> "S3Client":
    """Make the client that this process uses, once; network errors, throttling and 5xx are tried again by boto3."""
    config = Config(
        retries={"mode": "standard", "max_attempts": 4},
        max_pool_connections=_CONNECTIONS,
        connect_timeout=_TIMEOUTS[0],
        read_timeout=_TIMEOUTS[1],
        signature_version="s3v4",
        # botocore would put together its own, of a dozen parts, for each request: a quarter of the work.
        user_agent=f"pedigree boto3/{boto3.__version__}",
    )
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
    with _sentences("s3://"):
        return boto3.Session(botocore_session=core).client("s3", config=config)


@cache
def _http() -> URLLib3Session:
    """Make the connections for addresses that are signed already, with boto3's own proxies and certificates."""
    session = botocore.session.get_session()
    return URLLib3Session(
        verify=session.get_config_variable("ca_bundle") or True,
        proxies=get_environ_proxies(s3_client().meta.endpoint_url),
        timeout=_TIMEOUTS,  # type: ignore[arg-type] # a pair, as boto3's own client passes it
        max_pool_connections=_CONNECTIONS,
    )


def lance_options() -> dict[str, str]:
    """Give Lance the address and the credentials that boto3 found."""
    client = s3_client()
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise _no_credentials("s3://")
    frozen = credentials.get_frozen_credentials()
    options = {
        "aws_access_key_id": frozen.access_key or "",
        "aws_secret_access_key": frozen.secret_key or "",
        "aws_region": client.meta.region_name or "us-east-1",
        "aws_endpoint": client.meta.endpoint_url,
        "aws_virtual_hosted_style_request": "false",
        "allow_http": "true",
    }
    return options | ({"aws_session_token": frozen.token} if frozen.token else {})


class S3Bucket:
    """A bucket, or the part of one below a prefix."""

    # Each waits for the network most of the time.
    reads_at_once = _CONNECTIONS

    def __init__(self, url: str) -> None:
        """Open the bucket of this address; nothing is asked of the server yet."""
        self.url = url
        self._bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def check(self) -> None:
        """Raise Problem where the bucket is missing, closed to us, or does not answer."""
        with _sentences(self.url):
            s3_client().list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def entries(self, prefix: str = "", names: SourceFilter | None = None) -> Iterator[Entry]:
        """List the objects whose keys start with the prefix, sorted by key; a long listing asks for folders at once."""
        listed = self._entries(prefix)
        return listed if names is None else (one for one in listed if not names.skips_key(one.key))

    def _entries(self, prefix: str) -> Iterator[Entry]:
        with _sentences(self._address(prefix)):
            for number, page in enumerate(self._pages(self._prefix + prefix)):
                yield from self._found(page)
                if number + 1 == _PAGES and page["IsTruncated"]:
                    yield from self._rest(self._prefix + prefix, page["Contents"][-1]["Key"])
                    return

    def _pages(self, prefix: str, after: str = "") -> Iterator["ListObjectsV2OutputTypeDef"]:
        pages = s3_client().get_paginator("list_objects_v2")
        asked = pages.paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=after, PaginationConfig={"PageSize": _PAGE}
        )
        for page in asked:
            if page["IsTruncated"] and not page.get("NextContinuationToken"):
                raise Problem(f"The server lists only a part of s3://{self._bucket}/{prefix}, and not how to go on.")
            yield page

    def _rest(self, prefix: str, after: str) -> Iterator[Entry]:
        """List what comes after a key: folder by folder, or page by page where there are more folders than pays."""
        level = s3_client().list_objects_v2(Bucket=self._bucket, Prefix=prefix, Delimiter="/", MaxKeys=_FOLDERS)
        if level["IsTruncated"]:
            yield from self._below(prefix, after)
            return
        folders = [one["Prefix"] for one in level.get("CommonPrefixes", [])]
        parts: dict[str, Callable[[], list[Entry]]] = {
            name: partial(self._below, name, after) for name in folders if name > after or after.startswith(name)
        }
        for entry in self._found(level):
            if self._prefix + entry.key > after:
                parts[self._prefix + entry.key] = partial(list, [entry])
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for found in _ahead(pool, [part for _, part in sorted(parts.items())]):
                yield from found

    def _below(self, prefix: str, after: str) -> list[Entry]:
        with _sentences(f"s3://{self._bucket}/{prefix}"):
            return [entry for page in self._pages(prefix, after) for entry in self._found(page)]

    def _found(self, page: "ListObjectsV2OutputTypeDef") -> list[Entry]:
        # A key that ends with a slash is what consoles write to show an empty folder.
        return [self._entry(one) for one in page.get("Contents", []) if not one["Key"].endswith("/")]

    def read(self, key: str, etag: str | None = None) -> bytes:
        """Return an object's bytes; with an ETag the server itself refuses any other content."""
        with _sentences(self.url):
            data = self._read_signed(key, etag)
            return self._read(key, etag) if data is None else data

    def _read_signed(self, key: str, etag: str | None) -> bytes | None:
        """Return an object's bytes by a signed address, at a third of a call's cost; None says: ask boto3 why."""
        asked = {"Bucket": self._bucket, "Key": self._prefix + key}
        address = s3_client().generate_presigned_url("get_object", Params=asked, ExpiresIn=_EXPIRES)
        request = AWSRequest("GET", address, {"If-Match": f'"{etag}"'} if etag else {})
        try:
            answer = _http().send(request.prepare())
        except BotoCoreError:
            return None
        return answer.content if answer.status_code == _OK else None

    def _read(self, key: str, etag: str | None) -> bytes:
        with one_object(key, self._address(key)):
            return self._get(key, etag)["Body"].read()

    def _get(self, key: str, etag: str | None) -> "GetObjectOutputTypeDef":
        condition: Any = {"IfMatch": f'"{etag}"'} if etag else {}
        return s3_client().get_object(Bucket=self._bucket, Key=self._prefix + key, **condition)

    def metadata(self, key: str, etag: str) -> Mapping[str, str]:
        """Return an object's user metadata, names in lower case; raise Changed when it is another one."""
        with _sentences(self.url), one_object(key, self._address(key)):
            try:
                head = s3_client().head_object(Bucket=self._bucket, Key=self._prefix + key, IfMatch=f'"{etag}"')
                beside = head["Metadata"]
            except ClientError as error:
                if error.response["Error"]["Code"] not in _WORDLESS:
                    raise
                # An answer about the head alone has no room for a reason.
                whole = self._get(key, etag)
                whole["Body"].close()
                beside = whole["Metadata"]
        return {name.lower(): decoded(text) for name, text in beside.items()}

    def _address(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}" if key else self.url

    def create(self, key: str, data: bytes) -> bool:
        """Put an object only if there is none under this key: the server decides between two writers."""
        with _sentences(self.url):
            try:
                s3_client().put_object(Bucket=self._bucket, Key=self._prefix + key, Body=data, IfNoneMatch="*")
            except ClientError as error:
                if error.response["Error"]["Code"] in TAKEN:
                    return False
                raise
        return True

    def remove(self, key: str) -> None:
        """Delete an object, if there is one; a bucket that keeps old versions keeps this one too."""
        with _sentences(self.url):
            s3_client().delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def _entry(self, one: Any) -> Entry:  # noqa: ANN401 - a row of the listing, typed only in boto3's stubs
        time = one["LastModified"].astimezone(UTC).isoformat()
        return Entry(one["Key"].removeprefix(self._prefix), one["ETag"].strip('"'), one["Size"], "", time)


def _ahead(pool: ThreadPoolExecutor, parts: Sequence[Callable[[], list[Entry]]]) -> Iterator[list[Entry]]:
    """Yield what the parts find, in their order, and hold no more of them than are asked for at once."""
    waiting: deque[Future[list[Entry]]] = deque()
    for part in parts:
        if len(waiting) == _AT_ONCE:
            yield waiting.popleft().result()
        waiting.append(pool.submit(part))
    while waiting:
        yield waiting.popleft().result()


def _time(text: Any) -> datetime:  # noqa: ANN401 - text, or a number of seconds
    """Read a time as S3's listings write it: two thirds of a long listing's work, the way that botocore does it."""
    if isinstance(text, str) and text.endswith("Z"):
        with suppress(ValueError):
            return datetime.fromisoformat(text)
    return parse_timestamp(text)


@contextmanager
def _sentences(url: str) -> Iterator[None]:
    """Turn boto3's errors into one sentence; the secret is in none of them."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise _no_credentials(url) from None
    except ProfileNotFound as error:
        raise Problem(f"{url}: {error}: correct AWS_PROFILE.") from None
    except ClientError as error:
        raise _refused(url, error) from None
    except (BotoCoreError, ValueError) as error:
        kind = Outage if isinstance(error, ConnectionError | HTTPClientError) else Problem
        raise kind(f"{url} cannot be reached ({_one_line(error)}): check AWS_ENDPOINT_URL and the network.") from None


def _no_credentials(url: str) -> Problem:
    return Problem(
        f"{url}: no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE."
    )


def _refused(url: str, error: ClientError) -> Problem:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code == "NoSuchBucket":
        return Problem(f"There is no bucket at {url}: make it, or correct the address.")
    if code in _CLOSED:
        return Problem(f"The server refuses these credentials for {url} ({code}): check the AWS keys and their rights.")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind = Outage if passing(status, code) else Problem
    return kind(f"The server refused a request for {url}: {code} {message}".rstrip() + ".")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

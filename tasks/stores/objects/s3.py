"""S3 buckets, by boto3; endpoint, region and credentials come from AWS's own variables and files."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError

from configs.errors import PedigreeError
from tasks.domain.ingestion.source_objects import Entry, SourceFilter
from tasks.stores.objects.s3_client import CONNECTIONS, s3_client, s3_http
from tasks.stores.objects.s3_errors import TAKEN, decoded, not_s3, one_object
from tasks.stores.objects.s3_errors import sentences as _sentences

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, ListObjectsV2OutputTypeDef

# Keys in a page, which S3 sets; pages after which the rest of a listing is split by folders; folders that are listed at
# once; and the most folders: for a shorter listing, or for more folders, the split costs more requests than it saves.
_PAGE, _PAGES, _AT_ONCE, _FOLDERS = 1000, 10, 16, 1000
# Bytes that are hashed at once.
_PIECE = 2**20
_EXPIRES = 300  # Seconds that a signed address is good for; it is used at once.
_OK = 200
_WORDLESS = {"400", "403"}


class S3Bucket:
    """A bucket, or the part of one below a prefix."""

    # Each waits for the network most of the time.
    reads_at_once = CONNECTIONS

    def __init__(self, url: str) -> None:
        """Open the bucket of this address; nothing is asked of the server yet."""
        self.url = url
        self._bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def check(self) -> None:
        """Raise PedigreeError where the bucket is missing, closed to us, or does not answer."""
        with _sentences(self.url):
            answer = s3_client().list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
            self._must_be_s3(answer, "IsTruncated")

    def entries(self, prefix: str = "", names: SourceFilter | None = None) -> Iterator[Entry]:
        """List the objects whose keys start with a prefix; in a long listing several folders are listed at once.

        Args:
            prefix: The prefix; empty for all objects.
            names: What is passed over in a source; None in a store.

        Returns:
            The objects, sorted by key.
        """
        listed = self._entries(prefix)
        return listed if names is None else (entry for entry in listed if not names.skips_key(entry.key))

    def _entries(self, prefix: str) -> Iterator[Entry]:
        with _sentences(self._address(prefix)):
            for number, page in enumerate(self._pages(self._prefix + prefix)):
                yield from self._page_entries(page)
                if number + 1 == _PAGES and page["IsTruncated"]:
                    yield from self._rest(self._prefix + prefix, page["Contents"][-1]["Key"])
                    return

    def _pages(self, prefix: str, after: str = "") -> Iterator["ListObjectsV2OutputTypeDef"]:
        pages = s3_client().get_paginator("list_objects_v2")
        parameters = {"Bucket": self._bucket, "Prefix": prefix, "StartAfter": after}
        for page in pages.paginate(**parameters, PaginationConfig={"PageSize": _PAGE}):  # type: ignore[arg-type] # see parameters
            self._must_be_s3(page, "IsTruncated")
            if page["IsTruncated"] and not page.get("NextContinuationToken"):
                raise PedigreeError(
                    f"The server lists only a part of s3://{self._bucket}/{prefix}, and not how to go on."
                )
            yield page

    def _must_be_s3(self, answer: object, name: str) -> None:
        """Raise InaccessibleError where a field of S3 is missing: a page of HTML would look like an empty listing."""
        if not isinstance(answer, Mapping) or name not in answer:
            raise not_s3(self.url)

    def _rest(self, prefix: str, after: str) -> Iterator[Entry]:
        """List what comes after a key: several folders at once, or page by page where there are too many folders."""
        level = s3_client().list_objects_v2(Bucket=self._bucket, Prefix=prefix, Delimiter="/", MaxKeys=_FOLDERS)
        self._must_be_s3(level, "IsTruncated")
        if level["IsTruncated"]:
            yield from self._below(prefix, after)
            return
        folders = [folder["Prefix"] for folder in level.get("CommonPrefixes", [])]
        parts: dict[str, Callable[[], list[Entry]]] = {
            name: partial(self._below, name, after) for name in folders if name > after or after.startswith(name)
        }
        for entry in self._page_entries(level):
            if self._prefix + entry.key > after:
                parts[self._prefix + entry.key] = partial(list, [entry])
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for entries in _ahead(pool, [part for _, part in sorted(parts.items())]):
                yield from entries

    def _below(self, prefix: str, after: str) -> list[Entry]:
        with _sentences(f"s3://{self._bucket}/{prefix}"):
            return [entry for page in self._pages(prefix, after) for entry in self._page_entries(page)]

    def _page_entries(self, page: "ListObjectsV2OutputTypeDef") -> list[Entry]:
        # A key that ends with a slash is what consoles write to show an empty folder.
        return [self._entry(row) for row in page.get("Contents", []) if not row["Key"].endswith("/")]

    def read(self, key: str, etag: str | None = None) -> bytes:
        """Read an object; with an ETag the server itself refuses any other content.

        Args:
            key: Its key.
            etag: The ETag that it must have; None for any.

        Returns:
            Its bytes.
        """
        with _sentences(self.url):
            data = self._read_signed(key, etag)
            return self._read(key, etag) if data is None else data

    def _read_signed(self, key: str, etag: str | None) -> bytes | None:
        """Read an object by a signed address, at a third of a call's cost; None means that boto3 is to tell why not."""
        parameters = {"Bucket": self._bucket, "Key": self._prefix + key}
        address = s3_client().generate_presigned_url("get_object", Params=parameters, ExpiresIn=_EXPIRES)
        request = AWSRequest("GET", address, {"If-Match": f'"{etag}"'} if etag else {})
        try:
            answer = s3_http().send(request.prepare())
        except BotoCoreError:
            return None
        complete = len(answer.content) == int(answer.headers.get("Content-Length", -1))
        same = answer.headers.get("ETag", "").strip('"') == (etag or answer.headers.get("ETag", "-").strip('"'))
        return answer.content if answer.status_code == _OK and complete and same else None

    def _read(self, key: str, etag: str | None) -> bytes:
        with one_object(key, self._address(key)):
            return self._get(key, etag)["Body"].read()

    def _get(self, key: str, etag: str | None) -> "GetObjectOutputTypeDef":
        condition: Any = {"IfMatch": f'"{etag}"'} if etag else {}
        answer = s3_client().get_object(Bucket=self._bucket, Key=self._prefix + key, **condition)
        self._must_be_s3(answer, "ETag")
        return answer

    def sha256(self, key: str) -> str:
        """Compute an object's SHA-256, a part at a time."""
        digest = hashlib.sha256()
        with _sentences(self.url), one_object(key, self._address(key)):
            for piece in self._get(key, None)["Body"].iter_chunks(_PIECE):
                digest.update(piece)
        return digest.hexdigest()

    def metadata(self, key: str, etag: str) -> Mapping[str, str]:
        """Read an object's user metadata.

        Args:
            key: Its key.
            etag: The ETag that it must have.

        Returns:
            The metadata by lower-case name.

        Raises:
            ObjectChangedError: The object is gone, or has another ETag.
            UnreadableObjectError: This object alone is refused or archived.
        """  # noqa: DOC501 - its caller turns it into a sentence
        with _sentences(self.url), one_object(key, self._address(key)):
            try:
                head = s3_client().head_object(Bucket=self._bucket, Key=self._prefix + key, IfMatch=f'"{etag}"')
                self._must_be_s3(head, "ETag")
                beside = head["Metadata"]
            except ClientError as error:
                if error.response["Error"]["Code"] not in _WORDLESS:
                    raise
                # The answer to a HEAD request has no room for a reason.
                answer = self._get(key, etag)
                answer["Body"].close()
                beside = answer["Metadata"]
        return {name.lower(): decoded(text) for name, text in beside.items()}

    def _address(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}" if key else self.url

    def create(self, key: str, data: bytes) -> bool:
        """Write a new object; the server decides between two writers.

        Args:
            key: Its key.
            data: Its bytes.

        Returns:
            False where there is an object of this key already, which stays as it is.
        """  # noqa: DOC501 - its caller turns it into a sentence
        with _sentences(self.url):
            try:
                parameters: Any = {"Bucket": self._bucket, "Key": self._prefix + key, "Body": data, "IfNoneMatch": "*"}
                self._must_be_s3(s3_client().put_object(**parameters), "ETag")
            except ClientError as error:
                if error.response["Error"]["Code"] in TAKEN:
                    return False
                raise
        return True

    def remove(self, key: str) -> None:
        """Delete an object, if there is one; a bucket that keeps old versions keeps this one too."""
        with _sentences(self.url):
            s3_client().delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def _entry(self, row: Any) -> Entry:  # noqa: ANN401 - a row of the listing, typed only in boto3's stubs
        time = row["LastModified"].astimezone(UTC).isoformat()
        return Entry(row["Key"].removeprefix(self._prefix), row["ETag"].strip('"'), row["Size"], "", time)


def _ahead(pool: ThreadPoolExecutor, parts: Sequence[Callable[[], list[Entry]]]) -> Iterator[list[Entry]]:
    """Yield the results of the parts in their order, with a bounded number of them in memory."""
    waiting: deque[Future[list[Entry]]] = deque()
    for part in parts:
        if len(waiting) == _AT_ONCE:
            yield waiting.popleft().result()
        waiting.append(pool.submit(part))
    while waiting:
        yield waiting.popleft().result()

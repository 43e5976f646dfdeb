"""S3 buckets, by boto3; endpoint, region and credentials come from AWS's own variables and files."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from configs.errors import PedigreeError
from tasks.domain.ingestion.source_objects import Entry, SourceFilter
from tasks.stores.objects.s3_client import CONNECTIONS, s3_client, signed_text
from tasks.stores.objects.s3_errors import TAKEN, decoded, not_s3, one_object
from tasks.stores.objects.s3_errors import sentences as _sentences
from tasks.stores.objects.s3_native import Fetched, digest, fetch
from tasks.stores.objects.s3_pages import Page, parse_page

if TYPE_CHECKING:
    import pyarrow as pa
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

T = TypeVar("T")

# Keys in a page, which S3 sets; pages after which the rest of a listing is split by folders; folders that are listed at
# once; and the most folders: for a shorter listing, or for more folders, the split costs more requests than it saves.
_PAGE, _PAGES, _AT_ONCE, _FOLDERS = 1000, 10, 8, 1000
# Bytes that are hashed at once.
_PIECE = 2**20
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
        start = len(self._prefix)
        listed = (entry for page in self._pages_below(prefix, Page.objects) for entry in page.entries(start))
        return listed if names is None else (entry for entry in listed if not names.skips_key(entry.key))

    def listing(self, prefix: str = "", names: SourceFilter | None = None) -> "pa.Table":
        """List the same objects as ``entries`` in columns.

        Args:
            prefix: The prefix; empty for all objects.
            names: What is passed over in a source; None in a store.

        Returns:
            A listing, sorted by key.
        """
        import pyarrow as pa

        from tasks.stores.objects.listing_columns import joined, listing_batch

        def columns(page: Page) -> pa.RecordBatch:
            kept = page.objects()
            keys = [key[len(self._prefix) :] for key in kept.keys] if self._prefix else kept.keys
            return listing_batch(keys, kept.etags, kept.sizes, kept.times)

        return joined(self._pages_below(prefix, columns), names)

    def _pages_below(self, prefix: str, convert: Callable[[Page], T]) -> Iterator[T]:
        """Yield the pages of a listing, converted; those of a long one come from several folders at once."""
        with _sentences(self._address(prefix)):
            for number, page in enumerate(self._pages(self._prefix + prefix)):
                yield convert(page)
                if number + 1 == _PAGES and page.truncated and page.keys:
                    yield from self._rest(self._prefix + prefix, page.keys[-1], convert)
                    return

    def _pages(self, prefix: str, after: str = "") -> Iterator[Page]:
        position = {"StartAfter": after} if after else {}
        while True:
            page = self._page(Prefix=prefix, MaxKeys=_PAGE, **position)
            yield page
            if not page.truncated:
                return
            if not page.token:
                raise PedigreeError(
                    f"The server lists only a part of s3://{self._bucket}/{prefix}, and not how to go on."
                )
            position = {"ContinuationToken": page.token}

    def _page(self, **parameters: Any) -> Page:  # noqa: ANN401 - parameters of boto3
        """Ask for a page by a signed address; where that fails, boto3 asks again, which tells why not."""
        parameters = {"Bucket": self._bucket, "EncodingType": "url", **parameters}
        text = signed_text("list_objects_v2", parameters)
        page = parse_page(text) if text else None
        if page is None:
            del parameters["EncodingType"]  # boto3 asks for it by itself, and decodes only then.
            answer = s3_client().list_objects_v2(**parameters)
            self._must_be_s3(answer, "IsTruncated")
            page = Page.of_answer(answer)
        return page

    def _must_be_s3(self, answer: object, name: str) -> None:
        """Raise InaccessibleError where a field of S3 is missing: a page of HTML would look like an empty listing."""
        if not isinstance(answer, Mapping) or name not in answer:
            raise not_s3(self.url)

    def _rest(self, prefix: str, after: str, convert: Callable[[Page], T]) -> Iterator[T]:
        """List what comes after a key: several folders at once, or page by page where there are too many folders."""
        level = self._page(Prefix=prefix, Delimiter="/", MaxKeys=_FOLDERS)
        if level.truncated:
            yield from self._below(prefix, after, convert)
            return
        parts: dict[str, Callable[[], list[T]]] = {
            name: partial(self._below, name, after, convert)
            for name in level.folders
            if name > after or after.startswith(name)
        }
        parts |= {page.keys[0]: partial(_one, convert, page) for page in level.split() if page.keys[0] > after}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for converted in _ahead(pool, [part for _, part in sorted(parts.items())]):
                yield from converted

    def _below(self, prefix: str, after: str, convert: Callable[[Page], T]) -> list[T]:
        with _sentences(f"s3://{self._bucket}/{prefix}"):
            return [convert(page) for page in self._pages(prefix, after)]

    def read(self, key: str, etag: str | None = None) -> bytes:
        """Read an object; with an ETag the server itself refuses any other content.

        Args:
            key: Its key.
            etag: The ETag that it must have; None for any.

        Returns:
            Its bytes.
        """
        return self._fetched(key, etag or "", "").data

    def read_version(self, key: str, etag: str, version: str = "") -> tuple[bytes, str]:
        """Read one version of an object.

        Args:
            key: Its key.
            etag: The ETag that it must have.
            version: The id of the version; empty for the newest.

        Returns:
            Its bytes, and the id of its version; an object from before the bucket kept versions has the id ``null``.
        """
        fetched = self._fetched(key, etag, version)
        return fetched.data, fetched.version or "null"

    def keeps_versions(self) -> bool:
        """Check whether the bucket's versioning is switched on."""
        with _sentences(self.url):
            return s3_client().get_bucket_versioning(Bucket=self._bucket).get("Status") == "Enabled"

    def _fetched(self, key: str, etag: str, version: str) -> Fetched:
        with _sentences(self.url):
            fetched = fetch(s3_client(), self._bucket, self._prefix + key, etag, version)
            if fetched is not None:
                return fetched
            with one_object(key, self._address(key)):
                answer = self._get(key, etag, version)
                return Fetched(answer["Body"].read(), answer.get("VersionId", ""))

    def _get(self, key: str, etag: str = "", version: str = "") -> "GetObjectOutputTypeDef":
        which: Any = ({"IfMatch": f'"{etag}"'} if etag else {}) | ({"VersionId": version} if version else {})
        answer = s3_client().get_object(Bucket=self._bucket, Key=self._prefix + key, **which)
        self._must_be_s3(answer, "ETag")
        return answer

    def sha256(self, key: str) -> str:
        """Compute an object's SHA-256, a part at a time."""
        with _sentences(self.url):
            fetched = digest(s3_client(), self._bucket, self._prefix + key)
        return self._sha256(key) if fetched is None else fetched

    def _sha256(self, key: str) -> str:
        hashed = hashlib.sha256()
        with _sentences(self.url), one_object(key, self._address(key)):
            for piece in self._get(key)["Body"].iter_chunks(_PIECE):
                hashed.update(piece)
        return hashed.hexdigest()

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


def _one(convert: Callable[[Page], T], page: Page) -> list[T]:
    return [convert(page)]


def _ahead(pool: ThreadPoolExecutor, parts: Sequence[Callable[[], list[T]]]) -> Iterator[list[T]]:
    """Yield the results of the parts in their order, with a bounded number of them in memory."""
    waiting: deque[Future[list[T]]] = deque()
    for part in parts:
        if len(waiting) == _AT_ONCE:
            yield waiting.popleft().result()
        waiting.append(pool.submit(part))
    while waiting:
        yield waiting.popleft().result()

"""What S3 may refuse of one object, and what of all; what a folder and a bucket alike pass over by its name."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import boto3
import pytest

from configs.errors import PedigreeError
from tasks.domain.images.rejections import Reason
from tasks.domain.ingestion.source_objects import SourceFilter
from tasks.stores.objects import s3
from tasks.stores.objects.object_store import ObjectChangedError, UnreadableObjectError, open_bucket
from tests.conftest import _forget_s3_client

ODD = (
    ".Trash-1000/files/1.jpg",
    ".ipynb_checkpoints/1.jpg",
    "$RECYCLE.BIN/S-1-5/1.jpg",
    "lost+found/1.jpg",
    "__MACOSX/pug/._1.jpg",
    "pug/@eaDir/1.jpg/THUMB.jpg",
    "boxer/@eaDir/2.jpg/THUMB.jpg",
    "System Volume Information/1.jpg",
    "pug/dog.jpg.partial",
    "Thumbnails-old/pug/1.jpg",
)
KEPT = ("@home/1.jpg", "boxer/2.jpg", "lost/1.jpg", "pug/.hidden.jpg", "pug/1.jpg")


def test_what_is_no_class_is_passed_over_and_counted(url: str) -> None:
    """Bins, caches, thumbnails and half uploads are no photographs, nor is what a setting names; each is counted."""
    bucket = open_bucket(url)
    for key in (*ODD, "boxer/@eaDir/3.jpg/THUMB.jpg", *KEPT):
        bucket.create(key, b"1")
    names = SourceFilter(["thumbnails-*"])
    assert [entry.key for entry in bucket.entries(names=names)] == list(KEPT)
    assert dict(names.counts()) == {
        "@eaDir": 2,
        "$RECYCLE.BIN": 1,
        "*.partial": 1,
        ".Trash-1000": 1,
        ".ipynb_checkpoints": 1,
        "System Volume Information": 1,
        "Thumbnails-old": 1,
        "__MACOSX": 1,
        "lost+found": 1,
    }


def deny(bucket: str, action: str, resource: str, **condition: object) -> None:
    """Refuse an action to everybody."""
    rule = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{resource}", **condition}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [rule]})
    boto3.client("s3").put_bucket_policy(Bucket=bucket.removeprefix("s3://"), Policy=policy)


def test_an_object_that_a_policy_denies_is_one_object(s3_bucket: str) -> None:
    """An object that these credentials may not read is refused by its own key, its metadata too; others are read."""
    bucket = open_bucket(s3_bucket)
    for key in ("locked.jpg", "open.jpg"):
        bucket.create(key, key.encode())
    deny(s3_bucket, "s3:GetObject", f"{s3_bucket.removeprefix('s3://')}/locked.jpg")
    locked, other = bucket.entries(names=SourceFilter())
    for read in (bucket.read, bucket.metadata):
        with pytest.raises(UnreadableObjectError, match=r"s3://.*/locked\.jpg \(AccessDenied") as caught:
            read(locked.key, locked.etag)
        assert caught.value.reason is Reason.CANNOT_BE_READ
    assert bucket.read(other.key, other.etag) == b"open.jpg"


@pytest.mark.parametrize("long", [False, True])
def test_a_prefix_that_may_not_be_listed_is_named(s3_bucket: str, monkeypatch: pytest.MonkeyPatch, long: bool) -> None:
    """A part of a bucket that these credentials may not list stops the listing, also one that is split by folders."""
    bucket = open_bucket(s3_bucket)
    for number in range(4):
        bucket.create(f"husky/{number}.jpg", b"1")
        bucket.create(f"pug/{number}.jpg", b"1")
    prefix = "pug/" if long else "husky/"
    condition = {"Condition": {"StringEquals": {"s3:prefix": prefix}}}
    deny(s3_bucket, "s3:ListBucket", s3_bucket.removeprefix("s3://"), **condition)
    monkeypatch.setattr(s3, "_PAGE", 1)
    monkeypatch.setattr(s3, "_PAGES", 1)
    listed = open_bucket(s3_bucket if long else f"{s3_bucket}/husky")
    with pytest.raises(PedigreeError, match=rf"{s3_bucket}/{prefix.rstrip('/')}.*AccessDenied"):
        list(listed.entries(names=SourceFilter()))


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[BaseHTTPRequestHandler]]:
    """Server that refuses whatever it is asked, with the status and the code that its class holds."""

    class Refusing(BaseHTTPRequestHandler):
        status, code = 403, ""

        def do_GET(self) -> None:
            body = f"<Error><Code>{self.code}</Code><Message>Not\nso.</Message></Error>".encode()
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if self.command == "GET" else b"")

        do_HEAD = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {"ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    _forget_s3_client()
    yield Refusing
    _forget_s3_client()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "InvalidObjectState", Reason.ARCHIVED),
        (403, "AccessDenied", Reason.CANNOT_BE_READ),
        (400, "KMS.DisabledException", Reason.CANNOT_BE_READ),
        (400, "InvalidRequest", Reason.CANNOT_BE_READ),
        (405, "MethodNotAllowed", Reason.CANNOT_BE_READ),
    ],
)
@pytest.mark.parametrize("ask", ["read", "metadata"])
def test_a_refusal_of_one_object_says_which(refusing: type, status: int, code: str, reason: Reason, ask: str) -> None:
    """An object that lies in an archive, or that a key or a policy withholds, is one object, and says so in a line."""
    refusing.status, refusing.code = status, code  # type: ignore[attr-defined]
    with pytest.raises(UnreadableObjectError, match=r"s3://dogs/pug/1\.jpg") as caught:
        getattr(open_bucket("s3://dogs"), ask)("pug/1.jpg", "0" * 32)
    if ask == "read" or status != 405:
        assert (caught.value.reason, caught.value.detail) == (reason, f"{code} Not so")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ExpiredToken"),
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (403, "RequestTimeTooSkewed"),
        (404, "NoSuchBucket"),
    ],
)
@pytest.mark.parametrize("ask", ["read", "metadata"])
def test_a_refusal_of_whoever_asks_is_no_objects_own(refusing: type, status: int, code: str, ask: str) -> None:
    """Credentials that are wrong or expired, and a bucket that is missing, stop whoever reads, whatever the object."""
    refusing.status, refusing.code = status, code  # type: ignore[attr-defined]
    with pytest.raises((PedigreeError, ObjectChangedError)) as caught:
        getattr(open_bucket("s3://dogs"), ask)("pug/1.jpg", "0" * 32)
    assert not isinstance(caught.value, UnreadableObjectError)
    assert isinstance(caught.value, PedigreeError) or (ask, code) == ("metadata", "NoSuchBucket")

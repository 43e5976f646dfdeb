"""Whatever answers in S3's place: the sentence names the setting that is wrong, by boto3 and by Lance."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pyarrow as pa
import pytest

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError, SettingsError
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.objects.s3_client import s3_client
from tasks.stores.store import Store
from tests.tls import answering

SCHEMA = pa.schema([("image", pa.string())])
XML = {"Content-Type": "application/xml"}
PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><p>Log in<br></body></html>"
TIDY_PAGE = b"<html><head><title>Welcome</title></head><body><p>Log in</p></body></html>"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keys and a region that any server may judge."""
    for name, value in {"ACCESS_KEY_ID": "AKID", "SECRET_ACCESS_KEY": "hush", "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    s3_client.cache_clear()
    yield
    s3_client.cache_clear()


def _error(code: str, message: str, more: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}.</Message>{more}</Error>".encode()


def _clock(hours: float) -> dict[str, str]:
    return XML | {"Date": f"{hours}"}


CASES = [
    (301, _error("PermanentRedirect", "Use the other endpoint", "<Endpoint>s3.eu-west-1.amazonaws.com</Endpoint>"), XML,
     ("AWS_REGION", "AWS_ENDPOINT_URL")),
    (301, _error("PermanentRedirect", "Use another", "<Endpoint>s3.eu.example.org</Endpoint>"),
     XML | {"x-amz-bucket-region": "eu-west-1"}, ("AWS_REGION to eu-west-1", "AWS_ENDPOINT_URL to s3.eu.example.org")),
    (400, _error("AuthorizationHeaderMalformed", "The region is wrong", "<Region>eu-west-1</Region>"), XML,
     ("set AWS_REGION to eu-west-1",)),
    (403, _error("RequestTimeTooSkewed", "The difference is too large"), _clock(3), ("minutes behind", "set it")),
    (403, _error("RequestTimeTooSkewed", "The difference is too large"), _clock(-2), ("minutes ahead of",)),
    (403, _error("RequestTimeTooSkewed", "The difference is too large"), XML, ("this machine's clock",)),
    (404, _error("NoSuchBucket", "None"), XML, ("There is no bucket at s3://dogs", "AWS_ENDPOINT_URL")),
    (403, _error("ExpiredToken", "Old"), XML, ("refuses these credentials", "(ExpiredToken)")),
    (403, _error("AccessDenied", "No"), XML, ("refuses these credentials", "(AccessDenied)")),
    (200, PAGE, {"Content-Type": "text/html"}, ("is not S3", "AWS_ENDPOINT_URL")),
    (200, TIDY_PAGE, {"Content-Type": "text/html"}, ("is not S3", "AWS_ENDPOINT_URL")),
    (200, b'{"status": "ok"}', {"Content-Type": "application/json"}, ("is not S3",)),
    (200, b"", {}, ("is not S3",)),
    (302, PAGE, {"Content-Type": "text/html", "Location": "http://127.0.0.1:9/login"}, ("AWS_ENDPOINT_URL",)),
    (403, PAGE, {"Content-Type": "text/html"}, ("is not S3",)),
    (404, b"not found", {"Content-Type": "text/plain"}, ("is not S3",)),
    (404, b"<html><body>404</body></html>", {"Content-Type": "text/html"}, ("is not S3",)),
    (400, b"Client sent an HTTP request to an HTTPS server.\n", {"Content-Type": "text/plain"}, ("AWS_ENDPOINT_URL",)),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "headers", "words"), CASES)
def test_the_setting_that_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, headers: dict[str, str], words: tuple[str, ...]
) -> None:
    """Listing, reading, writing and Lance each name the setting, and none takes the place for empty."""
    if "Date" in headers:
        server_time = datetime.now(UTC) + timedelta(hours=float(headers["Date"]))
        headers = headers | {"Date": format_datetime(server_time, usegmt=True)}
    with answering(status, body, headers) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        bucket, table = open_bucket("s3://dogs/in"), Store("s3://dogs/in").table("images", SCHEMA)
        for ask in (
            bucket.check,
            lambda: list(bucket.entries()),
            lambda: bucket.create("a.json", b"{}"),
            lambda: table.read(["image"]),
        ):
            _must_say(ask, InaccessibleError, words)


@pytest.mark.parametrize("body", [PAGE, TIDY_PAGE, b'{"number": 1}'])
def test_a_page_is_no_object(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """What is no S3's answer never becomes an object's bytes, asked for with an ETag or without."""
    with answering(200, body, {"Content-Type": "text/html"}) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        bucket = open_bucket("s3://dogs/in")
        for ask in (
            lambda: bucket.read("a.json"),
            lambda: bucket.read("a.jpg", "0123"),
            lambda: bucket.metadata("a.jpg", "0123"),
        ):
            _must_say(ask, InaccessibleError, ("is not S3",))


def test_a_fault_of_the_server_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of a proxy whose S3 is away may be over soon."""
    with answering(502, PAGE, {"Content-Type": "text/html"}) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        _must_say(open_bucket("s3://dogs/in").check, ServiceUnavailableError, ("s3://dogs/in",))


@pytest.mark.parametrize(
    ("name", "value", "kind", "words"),
    [
        ("AWS_REGION", "no region at all", InaccessibleError, ("AWS_REGION",)),
        ("AWS_PROFILE", "nobody", InaccessibleError, ("AWS_PROFILE",)),
        ("AWS_ENDPOINT_URL", "nowhere", InaccessibleError, ("AWS_ENDPOINT_URL is no address", "https://")),
        ("AWS_ENDPOINT_URL", "http://ann:hush@127.0.0.1:9", ServiceUnavailableError, ("AWS_ENDPOINT_URL",)),
        ("HTTP_PROXY", "http://ann:hush@127.0.0.1:9", ServiceUnavailableError, ("HTTPS_PROXY",)),
    ],
)
def test_settings_of_the_environment_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, kind: type[PedigreeError], words: tuple[str, ...]
) -> None:
    """A variable that is wrong is named, and a secret in it is not repeated."""
    if name != "AWS_REGION":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://s3.example.org")
    monkeypatch.setenv(name, value)
    sentence = _must_say(open_bucket("s3://dogs/in").check, kind, words)
    assert "hush" not in sentence


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("credential_process = /missing/program", "credential_process"),
        ("credential_process = echo garbage", "credential_process"),
        ("credential_process = false", "credentials"),
        ("web_identity_token_file = /missing\nrole_arn = arn:aws:iam::1:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ("role_arn = arn:aws:iam::1:role/x\nsource_profile = nobody", "AWS_PROFILE"),
        ("[broken", "AWS_PROFILE"),
    ],
)
def test_a_profile_that_gives_no_credentials_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, message: str
) -> None:
    """Whatever keeps a profile from giving credentials ends in a sentence that names it, and not in an outage."""
    (tmp_path / "config").write_text(f"[profile dogs]\nregion = us-east-1\n{line}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "dogs")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    _must_say(open_bucket("s3://dogs/in").check, InaccessibleError, (message,))


def test_an_address_that_is_no_bucket_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no bucket can have is told as a wrong address, with exit code 2."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    _must_say(open_bucket("s3://Dogs of mine/in").check, SettingsError, ("s3://Dogs of mine/in", "s3://bucket/prefix"))


def _must_say(ask: Callable[[], object], kind: type[PedigreeError], words: tuple[str, ...]) -> str:
    with pytest.raises(PedigreeError) as caught:
        ask()
    sentence = str(caught.value)
    assert type(caught.value) is kind, sentence
    assert all(word in sentence for word in words), sentence
    assert ".." not in sentence
    assert "damaged" not in sentence
    return sentence

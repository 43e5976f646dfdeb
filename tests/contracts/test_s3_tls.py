"""A real S3 server behind TLS with a CA of its own: every way to it takes the settings that AWS's own tools take."""

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from configs.errors import InaccessibleError, PedigreeError
from tasks.stores.objects import s3_native
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.objects.s3_client import lance_arguments, s3_client
from tasks.stores.store import Store
from tests import tls
from tests.servers import Ceph

SCHEMA = pa.schema([("image", pa.string())])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Certificate of a CA, and of a server that it vouches for."""
    return tls.make_ca(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def behind_tls(
    ceph: Ceph, s3_bucket: str, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Address of an empty bucket whose server now speaks TLS; nobody has named its CA yet."""
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    with tls.tls_in_front(ceph.endpoint, authority[1]) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        s3_client.cache_clear()
        yield s3_bucket
    s3_client.cache_clear()


@pytest.mark.parametrize("how", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "profile"])
def test_a_ca_of_ones_own_reaches_all(
    behind_tls: str, authority: tuple[Path, Path], how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named in any of the usual places, a CA lets boto3, obstore and Lance in, for reading and for writing."""
    if how == "profile":
        _profile(monkeypatch, tmp_path, f"ca_bundle = {authority[0]}")
    else:
        monkeypatch.setenv(how, str(authority[0]))
    _everything_works(behind_tls)


def test_a_foreign_certificate_is_no_outage(behind_tls: str) -> None:
    """A certificate of an unknown CA is refused by all of them in a sentence that names AWS_CA_BUNDLE."""
    bucket, table = open_bucket(behind_tls), Store(behind_tls).table("images", SCHEMA)
    for ask in (bucket.check, lambda: bucket.read("a.json"), lambda: table.read(["image"])):
        with pytest.raises(InaccessibleError, match=r"is not trusted .*set AWS_CA_BUNDLE"):
            ask()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_that_cannot_be_read_is_named(
    behind_tls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    """A file that is missing, or holds no certificate, is named with the variable that names it."""
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    with pytest.raises(InaccessibleError, match=rf"AWS_CA_BUNDLE names {file}"):
        open_bucket(behind_tls).check()


def test_http_and_https_are_told_apart(behind_tls: str, ceph: Ceph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes http for https, or the other way round, reads which variable says so."""
    for wrong in (os.environ["AWS_ENDPOINT_URL"].replace("https", "http"), ceph.endpoint.replace("http", "https")):
        monkeypatch.setenv("AWS_ENDPOINT_URL", wrong)
        s3_client.cache_clear()
        with pytest.raises(PedigreeError, match="AWS_ENDPOINT_URL"):
            open_bucket(behind_tls).check()


def test_a_proxy_is_used_by_all(behind_tls: str, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY leads boto3, obstore and Lance through the proxy, and NO_PROXY past it."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority[0]))
    with tls.proxy() as (address, requests):
        monkeypatch.setenv("HTTPS_PROXY", address)
        _everything_works(behind_tls)
        assert len(requests) > 2
        requests.clear()
        # obstore connects to the proxy anew, and asks it for the server.
        s3_client.cache_clear()
        s3_native.fetch(s3_client(), behind_tls.removeprefix("s3://"), "images.json")
        assert len(requests) == 1
        requests.clear()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        s3_client.cache_clear()
        _everything_works(behind_tls, "without")
        assert requests == []


def test_credentials_that_end_are_renewed_by_all(
    behind_tls: str, authority: tuple[Path, Path], ceph: Ceph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials of a profile's process are asked for again before they end, by boto3 and in the middle of a scan."""
    script, count = tmp_path / "credentials.py", tmp_path / "count"
    ends = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    given = {"Version": 1, "AccessKeyId": ceph.access_key, "SecretAccessKey": ceph.secret_key, "Expiration": ends}
    script.write_text(f"open({str(count)!r}, 'a').write('x')\nprint({json.dumps(given)!r})")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority[0]))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    _profile(monkeypatch, tmp_path, f"credential_process = {sys.executable} {script}")
    _everything_works(behind_tls)
    before = len(count.read_text())
    scan = Store(behind_tls).table("images", SCHEMA).take(["a", "b"], ["image"])
    assert [image for part in scan for image in part["image"].to_pylist()] == ["a", "b"]
    assert len(count.read_text()) > before
    assert "namespace_client" in lance_arguments(f"{behind_tls}/images.lance")


def test_the_native_client_asks_for_credentials_again(
    behind_tls: str, authority: tuple[Path, Path], ceph: Ceph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials of a role or a process are asked of boto3 by obstore too, and new ones are used when they change."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority[0]))
    open_bucket(behind_tls).create("a", b"1")
    script, secret = tmp_path / "credentials.py", tmp_path / "secret"
    secret.write_text("wrong")
    ends = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    given = {"Version": 1, "AccessKeyId": ceph.access_key, "Expiration": ends}
    said = f"{given!r} | {{'SecretAccessKey': open({str(secret)!r}).read()}}"
    script.write_text(f"import json\nprint(json.dumps({said}))")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    _profile(monkeypatch, tmp_path, f"credential_process = {sys.executable} {script}")
    monkeypatch.setattr(s3_native, "_KEPT", timedelta())
    name = behind_tls.removeprefix("s3://")
    assert s3_native.fetch(s3_client(), name, "a") is None
    secret.write_text(ceph.secret_key)
    assert s3_native.fetch(s3_client(), name, "a") == s3_native.Fetched(b"1", "")


def _everything_works(url: str, name: str = "images") -> None:
    """List, write and read objects, and write and read a table."""
    bucket, table = open_bucket(url), Store(url).table(name, SCHEMA)
    bucket.check()
    assert bucket.create(f"{name}.json", b"{}")
    (entry,) = bucket.entries(f"{name}.json")
    assert bucket.read(entry.key, entry.etag) == b"{}"
    # boto3 would step in for a native client that does not get through.
    assert s3_native.fetch(s3_client(), url.removeprefix("s3://"), entry.key, entry.etag)
    table.append([{"image": "a"}, {"image": "b"}])
    assert table.read(["image"])["image"].to_pylist() == ["a", "b"]


def _profile(monkeypatch: pytest.MonkeyPatch, folder: Path, line: str) -> None:
    file = folder / "aws-config"
    file.write_text(f"[profile dogs]\nregion = us-east-1\nendpoint_url = {os.environ['AWS_ENDPOINT_URL']}\n{line}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "dogs")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    s3_client.cache_clear()

"""The connection to S3: boto3, signed addresses and Lance share one endpoint, certificates and credentials."""

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import boto3
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies, parse_timestamp

from configs.environment import home
from configs.errors import InaccessibleError
from tasks.domain.hashing import sha256_of_bytes
from tasks.stores.objects.s3_errors import no_credentials, sentences

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 32
_EXPIRES = 300  # Seconds that a signed address is good for; it is used at once.
_OK = 200
TIMEOUTS = (5, 60)  # Seconds to connect, and until the next bytes come.
# Milliseconds before credentials end at which Lance asks for new ones: longer than one request takes.
_EARLY = 300_000
_PUBLIC = Path(botocore.__file__).with_name("cacert.pem")
_sessions: "WeakKeyDictionary[S3Client, botocore.session.Session]" = WeakKeyDictionary()


@cache
def s3_client() -> "S3Client":
    """Create this process's only client; boto3 retries network errors, throttling and status 5xx."""
    config = Config(
        retries={"mode": "standard", "max_attempts": 4},
        max_pool_connections=CONNECTIONS,
        connect_timeout=TIMEOUTS[0],
        read_timeout=TIMEOUTS[1],
        signature_version="s3v4",
        # Over TLS boto3 would send objects in parts with a checksum at the end, which Ceph and others refuse.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # botocore would build its own of a dozen parts for each request, which is a quarter of the work.
        user_agent=f"pedigree boto3/{boto3.__version__}",
    )
    with sentences("s3://"):
        core = botocore.session.get_session()
        core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
        named, certificates = _certificates(core)
        # Other AWS libraries read AWS_REGION; botocore only knows the older name.
        region = os.environ.get("AWS_REGION") or None
        session = boto3.Session(botocore_session=core, region_name=region)
        client = session.client("s3", config=config, verify=certificates or None)
    if certificates and client.meta.endpoint_url.startswith("https://"):
        _check(named, certificates)
        _trust(certificates)
    _sessions[client] = core
    return client


def signed_text(operation: str, parameters: dict[str, Any]) -> str | None:
    """Ask by a signed address, at a fraction of a call's cost.

    Args:
        operation: An operation of boto3's client that reads.
        parameters: Its parameters.

    Returns:
        The answer's text; None where boto3 is to tell why there is none.
    """
    address = s3_client().generate_presigned_url(operation, Params=parameters, ExpiresIn=_EXPIRES)
    try:
        answer = _http(s3_client()).send(AWSRequest("GET", address).prepare())
        if answer.status_code != _OK or len(answer.content) != int(answer.headers.get("Content-Length", -1)):
            return None
        return answer.content.decode()
    except (BotoCoreError, UnicodeDecodeError):
        return None


@cache
def queue_client(endpoint: str, region: str) -> Any:  # noqa: ANN401 - its types are in a package of their own
    """Create a client of SQS, which has credentials, proxies and certificates of the client of S3.

    Args:
        endpoint: Address of the server.
        region: Its region; empty for that of S3.

    Returns:
        Boto3's client.
    """
    client = s3_client()
    session = boto3.Session(botocore_session=_sessions[client], region_name=region or client.meta.region_name)
    config = Config(
        retries={"mode": "standard", "max_attempts": 2}, connect_timeout=TIMEOUTS[0], read_timeout=TIMEOUTS[1]
    )
    verify = session_certificates(client) or None
    return session.client("sqs", config=config, verify=verify, endpoint_url=endpoint)


def session_credentials(client: "S3Client") -> Credentials:
    """Return the credentials behind a client, which boto3 renews where they expire."""
    credentials = _sessions[client].get_credentials()
    if credentials is None:
        raise no_credentials("s3://")
    return credentials


def session_certificates(client: "S3Client") -> str:
    """Return the file of the certificates that a client trusts; empty for the public ones."""
    return _certificates(_sessions[client])[1]


@cache
def _http(client: "S3Client") -> URLLib3Session:
    return URLLib3Session(
        verify=session_certificates(client) or True,  # type: ignore[arg-type] # a file, as boto3 passes it
        proxies=get_environ_proxies(client.meta.endpoint_url),
        timeout=TIMEOUTS,  # type: ignore[arg-type] # a pair, as boto3's own client passes it
        max_pool_connections=CONNECTIONS,
    )


def lance_arguments(uri: str) -> dict[str, Any]:
    """Return Lance's arguments for a table, with boto3's endpoint and credentials.

    Where credentials expire, Lance renews them in time through a namespace; other tables avoid it, since it takes a
    second to import.

    Args:
        uri: The table's address.

    Returns:
        Keyword arguments of ``lance.dataset``.

    Raises:
        InaccessibleError: There are no credentials.
    """  # noqa: DOC501 - a function builds the error
    with sentences(uri):
        credentials = _sessions[s3_client()].get_credentials()
        if credentials is None:
            raise no_credentials(uri)
        if isinstance(credentials, RefreshableCredentials):
            return {"namespace_client": _Renewing(uri), "table_id": [uri.rpartition("/")[2].removesuffix(".lance")]}
        return {"uri": uri, "storage_options": lance_options()}


def lance_options() -> dict[str, str]:
    """Return boto3's present endpoint and credentials as Lance's storage options."""
    client = s3_client()
    credentials = session_credentials(client)
    frozen = credentials.get_frozen_credentials()
    options = {
        "aws_access_key_id": frozen.access_key or "",
        "aws_secret_access_key": frozen.secret_key or "",
        "aws_region": client.meta.region_name or "us-east-1",
        "aws_endpoint": client.meta.endpoint_url,
        "aws_virtual_hosted_style_request": "false",
        "allow_http": "true",
    }
    if isinstance(credentials, RefreshableCredentials):
        ends: datetime = credentials._expiry_time  # type: ignore[attr-defined] # noqa: SLF001 - it says it nowhere else
        options |= {
            "expires_at_millis": str(int(ends.timestamp() * 1000)),
            "refresh_offset_millis": str(_EARLY),
        }
    return options | ({"aws_session_token": frozen.token} if frozen.token else {})


@dataclass(frozen=True)
class _Renewing:
    """A Lance namespace of one table, which returns fresh credentials at each request."""

    uri: str

    def namespace_id(self) -> str:
        """Return the name of the namespace in Lance's caches."""
        return f"pedigree {self.uri}"

    def describe_table(self, _request: object) -> object:
        """Return the table's location, with credentials that boto3 renews before they expire."""
        from lance_namespace import DescribeTableResponse

        return DescribeTableResponse(location=self.uri, storage_options=lance_options())


def _certificates(session: botocore.session.Session) -> tuple[str, str]:
    """Return which variable names the file of trusted certificates, and the file; both empty for the public ones."""
    configured = session.get_config_variable("ca_bundle") or ""
    if configured:
        return ("AWS_CA_BUNDLE" if os.environ.get("AWS_CA_BUNDLE") else "ca_bundle of the AWS profile"), configured
    names = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    return next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("", ""))


def _check(name: str, certificates: str) -> None:
    try:
        ssl.create_default_context(cafile=certificates)
    except OSError as error:
        reason = error.strerror if not isinstance(error, ssl.SSLError) else "it holds no certificate in PEM"
        raise InaccessibleError(f"{name} names {certificates}, which cannot be used ({reason}): correct it.") from None


def _trust(certificates: str) -> None:
    """Let Lance trust these certificates too, which only reads SSL_CERT_FILE.

    Other libraries of this process read that as well, so the certificates that it named before stay in the file.
    """
    before = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or str(_PUBLIC)
    if before == certificates:
        return
    with suppress(OSError):  # Where no file can be written, only the named certificates are trusted.
        bundle = b"\n".join(Path(path).read_bytes() for path in (before, certificates))
        file = home() / f"certificates-{sha256_of_bytes(bundle)[:12]}.pem"
        if not file.exists():
            partial = file.with_suffix(f".{os.getpid()}.partial")
            partial.write_bytes(bundle)
            partial.replace(file)
        certificates = str(file)
    os.environ["SSL_CERT_FILE"] = certificates


def _time(text: Any) -> datetime:  # noqa: ANN401 - text, or a number of seconds
    """Parse a time as S3's listings write it; botocore's own way is two thirds of the work of a long listing."""
    if isinstance(text, str) and text.endswith("Z"):
        with suppress(ValueError):
            return datetime.fromisoformat(text)
    return parse_timestamp(text)

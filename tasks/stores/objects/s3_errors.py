"""Errors of S3 as sentences, those of one object apart from those of every object."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    ConnectionError,  # noqa: A004 - botocore's own, which is not Python's
    CredentialRetrievalError,
    HTTPClientError,
    InvalidConfigError,
    InvalidRegionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    SSOError,
)
from botocore.parsers import ResponseParserError

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError, SettingsError
from configs.visible_text import shown
from tasks.domain.images.rejections import Reason
from tasks.stores.objects.object_store import ObjectChangedError, UnreadableObjectError
from tasks.stores.objects.transient_errors import concerns_one_object, is_transient

#: What S3 says where an object is there already, or is another one than was asked for.
TAKEN = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}
_GONE = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}
_ARCHIVED = {"InvalidObjectState", "ObjectNotInActiveTierError"}
_MOST_LETTERS = 120


@contextmanager
def one_object(key: str, where: str) -> Iterator[None]:
    """Replace boto3's error about one object by an error of ours; one that concerns all objects stays as it is.

    Args:
        key: The object's key.
        where: Its whole address, for the sentence.

    Yields:
        Nothing.

    Raises:
        ObjectChangedError: The object is gone, or is another one.
        UnreadableObjectError: This object alone is refused or archived.
    """  # noqa: DOC501 - a function builds the error
    try:
        yield
    except ClientError as error:
        if is_page(error):
            raise
        code, words = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _GONE | TAKEN:
            raise ObjectChangedError(key) from None
        if not concerns_one_object(status, code):
            raise
        raise _unreadable(where, code, " ".join(f"{code} {words}".split())[:_MOST_LETTERS].rstrip(" .")) from None


def decoded(text: str) -> str:
    """Decode metadata in any alphabet; text in no known encoding stays as it is."""
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


def _unreadable(where: str, code: str, detail: str) -> UnreadableObjectError:
    if code in _ARCHIVED:
        message = f"{where} lies in an archive ({code}): restore it, or take it out of the source."
        return UnreadableObjectError(message, Reason.ARCHIVED, detail)
    message = f"The server does not hand out {where} ({detail}): give these credentials the right to read it."
    return UnreadableObjectError(message, Reason.CANNOT_BE_READ, detail)


_CLOSED = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
_CLOSED |= {"ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "AllAccessDisabled"}
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "TemporaryRedirect", "301", "IncorrectEndpoint"}
_ELSEWHERE |= {"IllegalLocationConstraintException", "InvalidLocationConstraint"}
_SKEWED = {"RequestTimeTooSkewed", "RequestInTheFuture", "RequestExpired"}
_CERTIFICATE = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|invalid peer certificate|UnknownIssuer"
    r"|doesn't match|Hostname mismatch|NotValidForName",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST|InvalidContentType|corrupt message")
# How a TLS server answers a request without TLS.
_ENCRYPTED = re.compile(r"\\x15\\x03|HTTP request to an? HTTPS")
_SETTINGS: tuple[tuple[tuple[type[Exception], ...], type[PedigreeError], str], ...] = (
    (
        (ProfileNotFound, ConfigNotFound, ConfigParseError, InvalidConfigError),
        InaccessibleError,
        "{url}: {words}: correct AWS_PROFILE, or the files of AWS in ~/.aws.",
    ),
    (
        (CredentialRetrievalError, SSOError),
        InaccessibleError,
        "{url}: {words}: correct the AWS profile's way to its credentials, or log in again.",
    ),
    (
        (ParamValidationError,),
        SettingsError,
        "{url} is no address of a bucket ({words}): write s3://bucket/prefix.",
    ),
    ((InvalidRegionError,), InaccessibleError, "{url}: {words}: correct AWS_REGION."),
    (
        (ProxyConnectionError,),
        ServiceUnavailableError,
        "{url} cannot be reached through the proxy ({words}): check HTTPS_PROXY and NO_PROXY.",
    ),
)
_NEEDS = "check AWS_ENDPOINT_URL (the address of S3 itself, not of its pages) and what stands in between"


@contextmanager
def sentences(url: str) -> Iterator[None]:
    """Turn boto3's errors into one sentence; no secret is in any of them.

    Args:
        url: What was asked for.

    Raises:
        ServiceUnavailableError: Nobody answers, or trying again may help.
        InaccessibleError: A setting or a right is wrong.
    """  # noqa: DOC501 - a function builds the error
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise no_credentials(url) from None
    except ClientError as error:
        raise _refused(url, error) from None
    except ResponseParserError:
        raise not_s3(url) from None
    except RecursionError:
        # botocore follows a redirection by a request whose answer is the same redirection.
        raise InaccessibleError(f"Every answer for {url} leads elsewhere: set AWS_REGION, and {_NEEDS}.") from None
    except JSONDecodeError as error:
        raise _no_answer(url, error) from None
    except (BotoCoreError, ValueError) as error:
        raise _unreachable(url, error) from None
    except OSError as error:  # Of a program or a file that should have given credentials: botocore has its own others.
        raise _no_answer(url, error) from None


def no_credentials(url: str) -> PedigreeError:
    """Return the error that no credentials were found."""
    return InaccessibleError(
        f"{url}: no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE."
    )


def not_s3(url: str) -> PedigreeError:
    """Return the error that the server which answers is not S3, such as a web server."""
    return InaccessibleError(f"What answers for {url} is not S3, such as a page of HTML: {_NEEDS}.")


def elsewhere(url: str, words: str, region: str = "", endpoint: str | None = None) -> PedigreeError:
    """Return the error that the bucket is in another region.

    Args:
        url: Its address.
        words: What the server says.
        region: The right region, where the server names it.
        endpoint: The right endpoint, where the server names it.

    Returns:
        The error to raise.
    """
    way = f"set AWS_REGION to {region}" if region else "set AWS_REGION to the bucket's"
    way += f", or AWS_ENDPOINT_URL to {endpoint}" if endpoint else ", and check AWS_ENDPOINT_URL"
    return InaccessibleError(f"The bucket of {url} is in another region ({_short(words)}): {way}.")


def untrusted(url: str, words: str) -> PedigreeError:
    """Return the error that a certificate is not trusted, with what to do.

    Args:
        url: The address of the bucket.
        words: What the TLS library says.

    Returns:
        The error to raise.
    """
    if re.search(r"expired|not yet valid|NotValidYet", words):
        way = "renew it there, or set this machine's clock"
    elif re.search(r"doesn't match|mismatch|not valid for|NotValidForName", words):
        way = "name the server in AWS_ENDPOINT_URL as its certificate does"
    else:
        way = "set AWS_CA_BUNDLE to the file with the certificate of its CA"
    return InaccessibleError(f"The certificate of the server for {url} is not trusted ({_short(words)}): {way}.")


def is_page(error: ClientError) -> bool:
    """Check whether an answer is a web page or comes from a proxy, since S3 answers in XML, except to HEAD requests.

    Returns:
        Whether the answer is no answer of S3.
    """
    # botocore reports a page with status 200 as a fault of the server, 500; other faults are a proxy's, and may pass.
    # A page that happens to be valid XML comes without any code.
    metadata = error.response.get("ResponseMetadata", {})
    code = str(error.response["Error"].get("Code", "")) or str(metadata.get("HTTPStatusCode", ""))
    kind = metadata.get("HTTPHeaders", {}).get("content-type", "")
    if not code.isdigit() or error.operation_name.startswith("Head") or "xml" in kind:
        return False
    return bool(kind) if code == "500" else not is_transient(int(code))


def is_certificate(words: str) -> bool:
    """Check whether a library's message means that a certificate was refused."""
    return bool(_CERTIFICATE.search(words))


def _no_answer(url: str, error: Exception) -> PedigreeError:
    way = "correct the AWS profile's credential_process, or AWS_WEB_IDENTITY_TOKEN_FILE"
    return InaccessibleError(f"{url}: no credentials came ({_short(str(error))}): {way}.")


def _unreachable(url: str, error: Exception) -> PedigreeError:
    words = shown(" ".join(str(error).split()))
    for kinds, kind, sentence in _SETTINGS:
        if isinstance(error, kinds):
            return kind(sentence.format(url=url, words=_short(words)))
    if words.startswith("Invalid endpoint"):
        return InaccessibleError(
            f"AWS_ENDPOINT_URL is no address ({_short(words)}): write it as https://HOST or http://HOST."
        )
    if is_certificate(words):
        return untrusted(url, words)
    if isinstance(error, SSLError) and _PLAIN.search(words):
        return InaccessibleError(
            f"The server for {url} speaks no TLS: write http:// in AWS_ENDPOINT_URL, or another port."
        )
    if _ENCRYPTED.search(words):
        return InaccessibleError(f"The server for {url} speaks TLS: write https:// in AWS_ENDPOINT_URL.")
    kind = ServiceUnavailableError if isinstance(error, ConnectionError | HTTPClientError) else InaccessibleError
    return kind(f"{url} cannot be reached ({_short(words)}): check AWS_ENDPOINT_URL and the network.")


def _refused(url: str, error: ClientError) -> PedigreeError:
    answer: Mapping[str, Any] = error.response
    code, message = str(answer["Error"].get("Code", "")), str(answer["Error"].get("Message", ""))
    metadata = answer.get("ResponseMetadata", {})
    status, headers = metadata.get("HTTPStatusCode", 0), metadata.get("HTTPHeaders", {})
    if code in _SKEWED or "Request has expired" in message:
        return InaccessibleError(f"The server refuses requests for {url} ({code}): {_clock(headers)}: set it right.")
    if code in _ELSEWHERE:
        return _region(url, answer, headers)
    if code == "NoSuchBucket":
        return InaccessibleError(f"There is no bucket at {url}: make it, or correct the address or AWS_ENDPOINT_URL.")
    if is_page(error):
        return not_s3(url)
    if code in _CLOSED:
        who = (
            f" by {error.operation_name}" if error.operation_name in {"AssumeRole", "AssumeRoleWithWebIdentity"} else ""
        )
        return InaccessibleError(
            f"The server refuses these credentials for {url} ({code}{who}): check the AWS keys and their rights."
        )
    kind = ServiceUnavailableError if is_transient(status, code) else InaccessibleError
    words = _short(f"{code} {message}") or f"status {status}"
    return kind(f"The server refused a request for {url}: {words}.")


def _region(url: str, answer: Mapping[str, Any], headers: Mapping[str, str]) -> PedigreeError:
    """Return the error that the bucket is in another region, with region and endpoint where the server names them."""
    error = answer["Error"]
    words = f"{error.get('Code')} {error.get('Message', '')}"
    return elsewhere(url, words, error.get("Region") or headers.get("x-amz-bucket-region", ""), error.get("Endpoint"))


def _clock(headers: Mapping[str, str]) -> str:
    """Compare this machine's clock with the server's."""
    try:
        ahead = datetime.now(UTC) - parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError, TypeError):
        return "this machine's clock is wrong"
    if abs(ahead) < timedelta(minutes=1):
        return "this machine's clock was wrong, or another's that signed"
    minutes = round(abs(ahead).total_seconds() / 60)
    return f"this machine's clock is {minutes:,} minutes {'ahead of' if ahead > timedelta() else 'behind'} the server's"


def _short(words: str) -> str:
    return " ".join(words.split())[:300].rstrip(" .:")

"""What S3 answers about one object: gone, another one, archived or refused, apart from what concerns every object."""

from collections.abc import Iterator
from contextlib import contextmanager
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from botocore.exceptions import ClientError

from tasks.domain.refusals import of_one_object
from tasks.domain.rejections import Reason
from tasks.stores.bucket import Changed, Unreadable
from tasks.stores.s3_refusals import is_page

#: What S3 says where an object is there already, or is another one than was asked for.
TAKEN = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}
_GONE = {"404", "NoSuchKey", "NoSuchVersion", "NotFound"}
_ARCHIVED = {"InvalidObjectState", "ObjectNotInActiveTierError"}
_MOST_LETTERS = 120


@contextmanager
def one_object(key: str, where: str) -> Iterator[None]:
    """Turn a refusal of one object into Changed or Unreadable; one that concerns all of them stays an error of boto3.

    Args:
        key: The object's key, for whoever listed it.
        where: Its whole address, for a sentence.
    """
    try:
        yield
    except ClientError as error:
        if is_page(error):
            raise
        code, words = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _GONE | TAKEN:
            raise Changed(key) from None
        if not of_one_object(status, code):
            raise
        raise _unreadable(where, code, " ".join(f"{code} {words}".split())[:_MOST_LETTERS].rstrip(" .")) from None


def decoded(text: str) -> str:
    """Read metadata in any alphabet; what is written in no known way stays as it is."""
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


def _unreadable(where: str, code: str, detail: str) -> Unreadable:
    if code in _ARCHIVED:
        message = f"{where} lies in an archive ({code}): restore it, or take it out of the source."
        return Unreadable(message, Reason.ARCHIVED, detail)
    message = f"The server does not hand out {where} ({detail}): give these credentials the right to read it."
    return Unreadable(message, Reason.CANNOT_BE_READ, detail)

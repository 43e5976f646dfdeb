"""Origins: which site a browser's request comes from; no other site may have a browser send anything here."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from tasks.domain.serving.problems import ProblemKind, ServiceProblemError

# Methods that change nothing.
_READING = {"GET", "HEAD", "OPTIONS"}
# What browsers say where the request comes from this site, or from a person and no site at all.
_WELCOME = {"same-origin", "none"}


def check_origin(method: str, headers: Mapping[str, str]) -> None:
    """Check that a request that sends something comes from this site's own page, or from no page at all.

    Args:
        method: Its method.
        headers: Its headers, by names in small letters.

    Raises:
        ServiceProblemError: A page of another site has a browser send it.
    """
    if method in _READING:
        return
    # Browsers say so themselves where the connection is encrypted or local; else the names of both sites are compared.
    if site := headers.get("sec-fetch-site", ""):
        is_welcome = site in _WELCOME
    else:
        origin = headers.get("origin", "")
        is_welcome = not origin or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    if not is_welcome:
        raise ServiceProblemError(ProblemKind.CROSS_SITE, "Only the page of this service may send this by a browser.")

"""Links of the page to the model's card in MLflow, for people who may know that address and whom it leads somewhere."""

from collections.abc import Mapping

from starlette.requests import Request

from tasks.service.web.access import is_loopback, read_host

# By these headers proxies tell that somebody else asks.
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def choose_links(pages: Mapping[str, str], request: Request, *, has_keys: bool) -> Mapping[str, str]:
    """Choose which addresses in MLflow the page links to.

    Args:
        pages: The addresses by the pages' names.
        request: The request, which was let in.
        has_keys: Whether it was let in by a key.

    Returns:
        The addresses; none for strangers, whom a proxy lets in without a key, and none of this machine alone for people
        who have opened the page from another one.
    """
    if not (has_keys or _comes_from_here(request)):
        return {}
    near = is_loopback(read_host(request.headers.get("host", "")))
    return {name: page for name, page in pages.items() if near or not is_loopback(_host_of(page))}


def _host_of(page: str) -> str:
    return read_host(page.partition("://")[2].partition("/")[0])


def _comes_from_here(request: Request) -> bool:
    """Return whether a request comes from a browser at this machine, and no proxy has passed it on.

    Browsers ask to keep the connection; that header is for one connection alone, so that proxies do not pass it on.
    """
    client, headers = request.client, request.headers
    direct = "keep-alive" in headers.get("connection", "").lower() and not any(name in headers for name in _PASSED_ON)
    return direct and bool(client and is_loopback(client.host))

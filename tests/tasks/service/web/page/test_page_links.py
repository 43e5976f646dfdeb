"""To whom the page shows links to the model's card, and whom they lead somewhere."""

import pytest
from starlette.requests import Request

from tasks.service.web.page.page_links import choose_links

FAR, NEAR = "https://mlflow.example/#/card", "http://127.0.0.1:5000/#/card"


def request_from(host: str, client: str | None, **headers: str) -> Request:
    """Return a request to that host from that address, as browsers send it."""
    headers = {"connection": "keep-alive", **headers}
    named = [(b"host", host.encode()), *((name.encode(), value.encode()) for name, value in headers.items())]
    return Request({"type": "http", "headers": named, "client": (client, 50000) if client else None})


@pytest.mark.parametrize(
    ("request_", "has_keys", "shown"),
    [
        pytest.param(request_from("127.0.0.1:8080", "127.0.0.1"), False, {"far", "near"}, id="this-machine"),
        pytest.param(request_from("[::1]:8080", "::1"), False, {"far", "near"}, id="this-machine-over-ipv6"),
        pytest.param(
            request_from("localhost", "127.0.0.1", **{"x-forwarded-for": "203.0.113.9"}), False, set(), id="proxy"
        ),
        pytest.param(request_from("localhost", "127.0.0.1", via="1.1 proxy"), False, set(), id="another-proxy"),
        pytest.param(request_from("127.0.0.1:8080", "127.0.0.1", connection="close"), False, set(), id="silent-proxy"),
        pytest.param(request_from("localhost", "203.0.113.9"), False, set(), id="another-machine"),
        pytest.param(request_from("localhost", None), False, set(), id="from-nowhere"),
        pytest.param(request_from("dogs.example", "203.0.113.9"), True, {"far"}, id="key"),
        pytest.param(request_from("localhost:8080", "172.17.0.1"), True, {"far", "near"}, id="key-at-this-machine"),
        pytest.param(request_from("[::1", "203.0.113.9"), True, {"far", "near"}, id="broken-host"),
    ],
)
def test_links_are_for_this_machine_or_a_key(request_: Request, has_keys: bool, shown: set[str]) -> None:
    """Strangers behind a proxy get none, and nobody gets one that leads to a machine of their own."""
    assert set(choose_links({"far": FAR, "near": NEAR}, request_, has_keys=has_keys)) == shown

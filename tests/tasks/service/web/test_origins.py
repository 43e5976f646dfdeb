"""No page of another site has a browser send anything here."""

from collections.abc import Mapping

import pytest

from tasks.domain.serving.problems import ProblemKind, ServiceProblemError
from tasks.service.web.origins import check_origin

HOST = {"host": "dogs.example.org:8080"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        # A proxy may ask by another name than people do: what the browser says counts first.
        {"sec-fetch-site": "same-origin", "origin": "https://dogs.example.com"},
        {"origin": "http://dogs.example.org:8080"},
        {"origin": "https://DOGS.example.org:8080"},
    ],
)
def test_programs_and_the_own_page_are_let_in(headers: Mapping[str, str]) -> None:
    """Programs say nothing of a site; browsers say that it is this one."""
    check_origin("POST", {**HOST, **headers})


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://dogs.example.org:8080"},
        {"origin": "https://evil.example.org"},
        {"origin": "http://dogs.example.org"},
        {"origin": "null"},
    ],
)
def test_other_sites_are_refused_but_may_be_followed(headers: Mapping[str, str]) -> None:
    """A form of another site is refused, also one of a neighbour's name; a link from there still opens the page."""
    with pytest.raises(ServiceProblemError) as error:
        check_origin("POST", {**HOST, **headers})
    assert error.value.problem.kind is ProblemKind.CROSS_SITE
    check_origin("GET", {**HOST, **headers})

"""Nobody gets in whom the owner did not mean to let in."""

import pytest

from configs.errors import SettingsError
from tasks.domain.serving.problems import ServiceProblemError
from tasks.service.web.access import KEY_VARIABLE, Access, check_address, read_keys

KEY = "a key of sixteen letters".replace(" ", "-")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "dogs.example.org", ""])  # noqa: S104 - refused
def test_an_address_of_others_needs_a_key(host: str) -> None:
    """Only a loopback address may be listened on without a key."""
    with pytest.raises(SettingsError, match=KEY_VARIABLE):
        check_address(host, ())
    check_address(host, (KEY,))
    for loopback in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        check_address(loopback, ())


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several keys may be named, so that one can be changed without a gap; a short one is refused and not repeated."""
    monkeypatch.setenv(KEY_VARIABLE, f"{KEY}, {KEY}2")
    assert read_keys() == (KEY, f"{KEY}2")
    monkeypatch.setenv(KEY_VARIABLE, "hunter2")
    with pytest.raises(SettingsError) as error:
        read_keys()
    assert "hunter2" not in str(error.value)


def test_a_wrong_key_is_refused_and_a_right_one_taken_from_either_header() -> None:
    """What a load balancer asks needs none."""
    access = Access((KEY, "another-key-of-many-letters"))
    for headers in (
        {"authorization": f"Bearer {KEY}"},
        {"x-api-key": KEY},
        {"x-api-key": "another-key-of-many-letters"},
    ):
        access.check("/v1/predict", headers)
    for headers in ({}, {"x-api-key": KEY[:-1]}, {"authorization": f"Basic {KEY}"}, {"x-api-key": "é"}):
        with pytest.raises(ServiceProblemError):
            access.check("/v1/predict", headers)
        access.check("/live", headers)


def test_without_a_key_it_answers_by_the_names_of_this_machine_alone() -> None:
    """A page of another site whose name leads to this machine is not let in."""
    access = Access(())
    for host in ("127.0.0.1:8080", "localhost", "[::1]:8080"):
        access.check("/v1/predict", {"host": host})
    for host in ("dogs.example.org", "10.0.0.1:8080", ""):
        with pytest.raises(ServiceProblemError):
            access.check("/v1/predict", {"host": host})

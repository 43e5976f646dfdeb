"""Checks of the doctor: side by side, each with an end, and without a secret."""

from collections.abc import Iterator
from threading import Event

from configs.errors import PedigreeError
from infra.doctor.finding import Finding, make_checks


def fine() -> Iterator[Finding]:
    """Find nothing wrong."""
    yield Finding("disk", "ok", "much is free")


def broken() -> Iterator[Finding]:
    """Fail as a store does."""
    message = "There is no bucket s3://ann:hush@dogs: make it, or correct the address."
    raise PedigreeError(message)
    yield


def unexpected() -> Iterator[Finding]:
    """Fail as nobody expects."""
    raise ZeroDivisionError
    yield


def test_a_check_that_fails_or_hangs_is_a_finding() -> None:
    """An error's sentence becomes message and remedy without its secret, and what hangs is given up; others answer."""

    def hang() -> Iterator[Finding]:
        Event().wait()
        yield Finding("never", "ok", "")

    diagnosis = make_checks({"hangs": hang, "broken": broken, "unexpected": unexpected, "disk": fine}, patience=0.5)
    findings = {finding.name: finding for finding in diagnosis.findings}
    assert list(findings) == ["hangs", "broken", "unexpected", "disk"]
    assert (findings["broken"].message[:30], findings["broken"].remedy) == (
        "There is no bucket s3://ann:…@",
        "make it, or correct the address",
    )
    assert "no answer came in 0.5 seconds" in findings["hangs"].message
    assert "ZeroDivisionError" in findings["unexpected"].message
    assert "hush" not in str(diagnosis.to_dict())
    assert (diagnosis.failures, diagnosis.to_dict()["ok"]) == (3, False)

"""Findings of the doctor, and the way in which checks are made: side by side, each for some seconds at most."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import Any, Literal

from configs.errors import PedigreeError
from configs.visible_text import shown, visible

State = Literal["ok", "warn", "fail"]
# Seconds within which all checks have ended, or have failed.
_PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw.

    Attributes:
        name: What was looked at.
        state: Whether it is fine (ok), will do for now (warn), or stops a run (fail).
        message: What was seen; never a secret.
        remedy: What to do; empty where all is fine.
    """

    name: str
    state: State
    message: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON can hold it."""
        return {name: shown(text) for name, text in asdict(self).items()}


Check = Callable[[], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, in the order of their checks."""

    findings: tuple[Finding, ...]

    @property
    def failures(self) -> int:
        """Return how many findings stop a run."""
        return sum(finding.state == "fail" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"ok": not self.failures, "findings": [finding.to_dict() for finding in self.findings]}


def make_checks(checks: Mapping[str, Check], patience: float = _PATIENCE) -> Diagnosis:
    """Make checks side by side.

    Args:
        checks: The checks by what they look at.
        patience: Seconds after which a check that has not ended counts as failed.

    Returns:
        The findings of all, in their order.
    """
    answers: Queue[tuple[str, list[Finding]]] = Queue()
    for name, check in checks.items():
        # A check that hangs ends with the process.
        Thread(target=lambda name=name, check=check: answers.put((name, _make(name, check))), daemon=True).start()
    by_name, end = dict[str, list[Finding]](), monotonic() + patience
    while len(by_name) < len(checks):
        try:
            name, findings = answers.get(timeout=max(0.0, end - monotonic()))
        except Empty:
            break
        by_name[name] = findings
    late = f"no answer came in {patience:g} seconds"
    remedy = "check whether the disk, or the server behind it, hangs, and ask again"
    return Diagnosis(
        tuple(finding for name in checks for finding in by_name.get(name, [Finding(name, "fail", late, remedy)]))
    )


def _make(name: str, check: Check) -> list[Finding]:
    try:
        return list(check())
    except PedigreeError as error:
        message, _, remedy = shown(str(error)).partition(": ")
        return [Finding(name, "fail", message, remedy.rstrip("."))]
    except Exception as error:  # noqa: BLE001 - a check that fails in any way is a finding
        reason = visible(shown(f"{type(error).__name__}: {error}"))
        return [Finding(name, "fail", reason, "report this, with what pedigree --version prints")]

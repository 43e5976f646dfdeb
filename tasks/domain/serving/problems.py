"""Problems of the service: what can be wrong with a request, by its HTTP status, as problem details (RFC 9457)."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

_ADDRESS = "urn:pedigree:problem:"
#: The media type of a problem.
PROBLEM_JSON = "application/problem+json"


class ProblemKind(Enum):
    """All that a client is told beside an answer, each with its HTTP status and its title."""

    EMPTY_BODY = (400, "The body is empty")
    MALFORMED = (400, "The request cannot be read")
    NO_KEY = (401, "A key is needed")
    CROSS_SITE = (403, "The request comes from another site")
    NOT_FOUND = (404, "There is no such address")
    UNKNOWN_ANSWER = (404, "There is no such answer")
    WRONG_METHOD = (405, "This address does not take that method")
    SLOW_BODY = (408, "The body did not come in time")
    CONFLICT = (409, "The answer was rated otherwise before")
    GONE = (410, "The answer is no longer remembered")
    TOO_LARGE = (413, "The request is too large")
    TOO_MANY = (413, "The request holds too many photographs")
    WRONG_TYPE = (415, "This type of content is not read")
    WRONG_HOST = (421, "The request is meant for another host")
    UNUSABLE = (422, "The photograph cannot be used")
    LONG_HEAD = (431, "The head of the request is too long")
    FAILED = (500, "The service made a mistake")
    BUSY = (503, "The service is busy")
    NO_MODEL = (503, "There is no model to answer with yet")
    DRAINING = (503, "The service is about to stop")

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return self.value[0]

    @property
    def title(self) -> str:
        """Return the same sentence for every problem of the kind."""
        return self.value[1]

    @property
    def address(self) -> str:
        """Return the URI that names the kind."""
        return f"{_ADDRESS}{self.name.lower().replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class ServiceProblem:
    """A problem of one request.

    Attributes:
        kind: The kind.
        detail: What is wrong with this very request, in one sentence.
        reason: Why a photograph is rejected, one of docs/reference/rejections.md; empty for other problems.
        retry_after: The seconds after which the client may try again; None where trying again is of no use.
    """

    kind: ProblemKind
    detail: str
    reason: str = ""
    retry_after: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the problem as RFC 9457 writes it."""
        plain = {"type": self.kind.address, "title": self.kind.title, "status": self.kind.status, "detail": self.detail}
        return plain | ({"reason": self.reason} if self.reason else {})


class ServiceProblemError(Exception):
    """Ends the handling of a request with a problem, which the client is told."""

    def __init__(self, kind: ProblemKind, detail: str, reason: str = "", retry_after: int | None = None) -> None:
        """Name the problem.

        Args:
            kind: The kind.
            detail: What is wrong with this very request, in one sentence.
            reason: Why a photograph is rejected; empty for other problems.
            retry_after: The seconds after which the client may try again.
        """
        super().__init__(detail)
        self.problem = ServiceProblem(kind, detail, reason, retry_after)

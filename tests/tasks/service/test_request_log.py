"""The log of requests says what was answered, and nothing by which a person is known."""

import hashlib
import io
import json

from tasks.domain.serving.answers import Answer, ModelIdentity
from tasks.domain.serving.problems import ProblemKind, ServiceProblem
from tasks.service.request_log import RequestLog

MODEL = ModelIdentity("dogs", "4", 7, "c473" + "0" * 60, "b" * 64, "d" * 64, "2026-11-28T02:00:00+00:00")
PHOTOGRAPH = b"the bytes of a photograph"


def written(log: RequestLog, answer: Answer) -> dict[str, object]:
    """Return the only line that is written about an answer."""
    log.write(answer, PHOTOGRAPH)
    assert isinstance(log.stream, io.StringIO)
    (line,) = log.stream.getvalue().splitlines()
    plain: dict[str, object] = json.loads(line)
    return plain


def test_a_line_holds_hashes_and_no_bytes() -> None:
    """The photograph is named by its SHA-256, which the store's images are named by too."""
    answer = Answer("01", MODEL, "beagle", 0.9, sure=True, probabilities={"beagle": 0.9}, elapsed_ms=12.5)
    plain = written(RequestLog(io.StringIO()), answer)
    assert plain.pop("time")
    assert plain == {
        "id": "01",
        "image": hashlib.sha256(PHOTOGRAPH).hexdigest(),
        "model": "4@c473",
        "label": "beagle",
        "probability": 0.9,
        "sure": True,
        "status": 200,
        "reason": "",
        "elapsed_ms": 12.5,
    }


def test_with_a_secret_the_hashes_mean_nothing_to_others() -> None:
    """Who does not know the secret cannot tell whether a photograph was asked about; a rejection has its reason."""
    problem = ServiceProblem(ProblemKind.UNUSABLE, "no picture", "not-an-image")
    answer = Answer("02", MODEL, None, None, sure=False, probabilities=None, elapsed_ms=1, problem=problem)
    first = written(RequestLog(io.StringIO(), b"secret"), answer)
    second = written(RequestLog(io.StringIO(), b"another"), answer)
    assert len({first["image"], second["image"], hashlib.sha256(PHOTOGRAPH).hexdigest()}) == 3
    assert (first["status"], first["reason"], first["label"]) == (422, "not-an-image", None)

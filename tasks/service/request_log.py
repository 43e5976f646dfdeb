"""The request log: a line of JSON a photograph or judgement, with hashes; never a name, an address, or a pixel."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from tasks.domain.hashing import hash_photograph
from tasks.domain.serving.answers import Answer, ModelIdentity
from tasks.domain.serving.inbox.feedback import Feedback


@dataclass(frozen=True, slots=True)
class RequestLog:
    """Writes answers to a stream.

    Attributes:
        stream: The stream.
        salt: Makes the hashes of photographs comparable only for whoever knows it; empty for plain SHA-256, by which
            ``pedigree data find`` knows an image.
    """

    stream: TextIO
    salt: bytes = b""

    def write(self, answer: Answer, data: bytes) -> None:
        """Write what was said about a photograph.

        Args:
            answer: The answer.
            data: The photograph, of which only the hash is written.
        """
        line = {
            "time": _now(),
            "id": answer.id,
            "image": hash_photograph(data, self.salt),
            "model": answer.model.short,
            "label": answer.label,
            "probability": answer.probability,
            "sure": answer.sure,
            "status": answer.problem.kind.status if answer.problem else 200,
            "reason": answer.problem.reason if answer.problem else "",
            "elapsed_ms": round(answer.elapsed_ms, 3),
        }
        self._write(line)

    def write_feedback(self, name: str, model: ModelIdentity, label: str, feedback: Feedback) -> None:
        """Write what a person said of an answer.

        Args:
            name: The answer's id, by which its own line is found.
            model: The model that answered.
            label: The class that it predicted.
            feedback: What the person said.
        """
        line = {
            "time": _now(),
            "id": name,
            "model": model.short,
            "label": label,
            "feedback": feedback.verdict,
            "claimed": feedback.claimed,
        }
        self._write(line)

    def _write(self, line: Mapping[str, object]) -> None:
        # One call a line, so that lines of several threads do not mix.
        self.stream.write(f"{json.dumps(line)}\n")
        self.stream.flush()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

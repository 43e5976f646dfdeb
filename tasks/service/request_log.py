"""The request log: one line of JSON a photograph, with hashes; never a name, an address, or the photograph itself."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from tasks.domain.serving.answers import Answer


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
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "id": answer.id,
            "image": self._hash(data),
            "model": answer.model.short,
            "label": answer.label,
            "probability": answer.probability,
            "sure": answer.sure,
            "status": answer.problem.kind.status if answer.problem else 200,
            "reason": answer.problem.reason if answer.problem else "",
            "elapsed_ms": round(answer.elapsed_ms, 3),
        }
        # One call a line, so that lines of several threads do not mix.
        self.stream.write(f"{json.dumps(line)}\n")
        self.stream.flush()

    def _hash(self, data: bytes) -> str:
        if self.salt:
            return hmac.new(self.salt, data, hashlib.sha256).hexdigest()
        return hashlib.sha256(data).hexdigest()

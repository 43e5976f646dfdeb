"""Whether the packaged model says, to a stranger who loads it, what the evaluation says of the same images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from configs.sections import Gate
from tasks.domain.evaluation.predictions import TOLERANCE, Predictions
from tasks.domain.phrasing import count

#: So many test images are asked about: the first by their names, which are hashes and so a fair sample.
SAMPLE = 8
#: What nobody would call a picture; it must be answered with a reason, beside the others.
NO_PICTURE = b"This is no picture."


@dataclass(frozen=True, slots=True)
class ServingCheck:
    """What a stranger saw of a version: images asked about, answers unlike the evaluation's, and the widest gap.

    ``wrong`` says what is not as it should be; empty where all is well. Another processor may have
    made the features in the store: what is nearer than a reproduction's tolerance is the same model's answer.
    """

    version: str
    asked: int
    unlike: int | None = 0
    widest: float = 0.0
    wrong: str = ""

    def __str__(self) -> str:
        """Say what came of asking; nothing where nobody asked."""
        if not self.asked:
            return ""
        if self.wrong:
            return self.wrong
        same = "bit for bit" if not self.widest else f"to {self.widest:.1g}"
        return f"{count(self.asked, 'test image')} answered as evaluated, {same}, and a bad one refused politely"


def check_serving(version: str, expected: Predictions, rows: Sequence[Mapping[str, Any]]) -> ServingCheck:
    """Hold a packaged model's rows against the evaluation's probabilities; the last row is that of ``NO_PICTURE``.

    A row is what serving answers: label, probabilities by class, and a problem where there is no label.
    """
    images = len(expected.probabilities)
    if len(rows) != images + 1:
        return serving_failure(version, images, f"{count(len(rows), 'answer')} for {images + 1:,} files")
    gaps = [_gap(expected, number, row) for number, row in enumerate(rows[:-1])]
    far = [gap for gap in gaps if gap > TOLERANCE]
    rude = rows[-1].get("label") is not None or not rows[-1].get("problem")
    wrong = [f"{len(far)} of {images} test images answered unlike the evaluation"] if far else []
    wrong += ["what is no picture gets a class and not a reason"] if rude else []
    message = f"the packaged model, version {version}: {', and '.join(wrong)}" if wrong else ""
    return ServingCheck(version, images, len(far) + rude, max(gaps), message)


def serving_failure(version: str, images: int, reason: str) -> ServingCheck:
    """Describe a version that a stranger can't use at all, and why not."""
    return ServingCheck(version, images, None, 1.0, f"the packaged model, version {version}, does not serve: {reason}")


def _gap(expected: Predictions, number: int, row: Mapping[str, Any]) -> float:
    """Measure the widest difference of a probability; 1 where classes differ, or there is no answer."""
    given = row.get("probabilities") or {}
    if list(given) != list(expected.classes):
        return 1.0
    pairs = zip(given.values(), expected.probabilities[number].tolist(), strict=True)
    return float(max(abs(answered - evaluated) for answered, evaluated in pairs))


def excuse_champion_failure(error: PedigreeError, version: str, gate: Gate) -> str:
    """Say why a champion cannot be measured; raise PedigreeError where the settings do not allow to judge without it.

    An outage, or what this machine may not read, says nothing about the champion: it is raised as it is.
    """
    if isinstance(error, ServiceUnavailableError | InaccessibleError):
        raise error
    reason = str(error).rstrip(".")
    if gate.when_champion_fails == "absolute":
        return reason
    message = (
        f"The champion, model version {version}, no longer loads ({reason}): put it back from a copy of the store,"
    )
    raise PedigreeError(f"{message} or set gate.when_champion_fails to absolute to judge without it.") from error

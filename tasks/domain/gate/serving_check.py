"""Serving check: whether the packaged model answers the serving probe as it was evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from configs.sections import Gate
from tasks.domain.evaluation.predictions import TOLERANCE, Predictions
from tasks.domain.phrasing import count

#: How many test images the probe sends: the first by their names, which are hashes and so make a fair sample.
SAMPLE = 8
#: The widest difference of a probability where a model was evaluated on features of 16 bits and serves in 32.
MIXED_TOLERANCE = 1e-2
#: A file that is no picture; the model must answer it with a reason, and the other files as usual.
NO_PICTURE = b"This is no picture."


@dataclass(frozen=True, slots=True)
class ServingCheck:
    """What the serving probe saw of a model version.

    Differences below the tolerance of a reproduction do not count: another processor may have computed the features in
    the store.

    Attributes:
        version: The model version.
        asked: The number of test images that the probe sent.
        unlike: How many answers differ from the evaluation; None where the model does not serve at all.
        widest: The widest difference of a probability.
        wrong: What is not as it should be, in words; empty where all is well.
    """

    version: str
    asked: int
    unlike: int | None = 0
    widest: float = 0.0
    wrong: str = ""

    def __str__(self) -> str:
        """Describe the result; empty where nothing was asked."""
        if not self.asked:
            return ""
        if self.wrong:
            return self.wrong
        same = "bit for bit" if not self.widest else f"to {self.widest:.1g}"
        return f"{count(self.asked, 'test image')} answered as evaluated, {same}, and a bad file refused with a reason"


def serving_tolerance(facts: Mapping[str, Any]) -> float:
    """Return how far a probability may be from the evaluation's: a model is served in float32, one picture a call.

    Args:
        facts: What the backbone's fingerprint covers.

    Returns:
        The difference of a reproduction; more where the features were computed in 16 bits.
    """
    return TOLERANCE if facts.get("computing", "float32") == "float32" else MIXED_TOLERANCE


def check_serving(
    version: str, expected: Predictions, rows: Sequence[Mapping[str, Any]], tolerance: float = TOLERANCE
) -> ServingCheck:
    """Compare a packaged model's answers with the evaluation's probabilities.

    Args:
        version: The model version.
        expected: The evaluation's predictions for the images that were sent.
        rows: The answers, the last of them about ``NO_PICTURE``. An answer has a label, probabilities by class, and a
            problem where there is no label.
        tolerance: The widest difference of a probability that counts as none.

    Returns:
        What differs.
    """
    images = len(expected.probabilities)
    if len(rows) != images + 1:
        return serving_failure(version, images, f"{count(len(rows), 'answer')} for {images + 1:,} files")
    gaps = [_measure_gap(expected, number, row) for number, row in enumerate(rows[:-1])]
    far = [gap for gap in gaps if gap > tolerance]
    rude = rows[-1].get("label") is not None or not rows[-1].get("problem")
    wrong = [f"{len(far)} of {images} test images answered unlike the evaluation"] if far else []
    wrong += ["what is no picture gets a class and not a reason"] if rude else []
    message = f"the packaged model, version {version}: {', and '.join(wrong)}" if wrong else ""
    return ServingCheck(version, images, len(far) + rude, max(gaps), message)


def serving_failure(version: str, images: int, reason: str) -> ServingCheck:
    """Return the result of a version that does not serve at all.

    Args:
        version: The model version.
        images: The number of test images that the probe sent.
        reason: Why it does not serve.

    Returns:
        The result.
    """
    return ServingCheck(version, images, None, 1.0, f"the packaged model, version {version}, does not serve: {reason}")


def _measure_gap(expected: Predictions, number: int, row: Mapping[str, Any]) -> float:
    """Return the widest difference of a probability; 1 where the classes differ, or there is no answer."""
    given = row.get("probabilities") or {}
    if list(given) != list(expected.classes):
        return 1.0
    pairs = zip(given.values(), expected.probabilities[number].tolist(), strict=True)
    return float(max(abs(answered - evaluated) for answered, evaluated in pairs))


def excuse_champion_failure(error: PedigreeError, version: str, gate: Gate) -> str:
    """Return why a champion cannot be measured, where the settings allow to decide without it.

    Args:
        error: What happened when the champion was loaded.
        version: The champion's model version.
        gate: What a champion that fails to load means.

    Returns:
        The reason.

    Raises:
        PedigreeError: The settings do not allow to decide without the champion. An outage, or missing rights on this
            machine, say nothing about the champion and are raised as they are.
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

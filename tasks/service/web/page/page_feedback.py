"""What people say of an answer by the page's form, and what the page says then."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from tasks.domain.serving.inbox.feedback import Feedback, Verdict
from tasks.domain.serving.problems import ProblemKind, ServiceProblemError

# A form has an id of 26 letters, a word, and the name of a class.
_MOST_FIELDS = 8
_VERDICTS = {"yes": Verdict.RIGHT, "no": Verdict.WRONG}


def read_form(data: bytes) -> tuple[str, Feedback]:
    """Read the form as browsers send it.

    Args:
        data: The body of the request.

    Returns:
        The answer's id, and the feedback; who calls an answer right names no other class, whatever the list shows.

    Raises:
        ServiceProblemError: It is no such form.
    """
    try:
        fields = parse_qs(data.decode("ascii"), max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise ServiceProblemError(ProblemKind.MALFORMED, "The form cannot be read.") from None
    word, consent = _field(fields, "right"), True if _field(fields, "consent") == "yes" else None
    if word not in _VERDICTS and not (word == "unknown" and consent):
        raise ServiceProblemError(ProblemKind.MALFORMED, "The form says neither yes nor no.")
    verdict = _VERDICTS.get(word)
    claimed = _field(fields, "label") if verdict is Verdict.WRONG else ""
    return _field(fields, "answer"), Feedback(verdict, claimed, consent)


def _field(fields: Mapping[str, Sequence[str]], name: str) -> str:
    return fields.get(name, [""])[0]


def thank(label: str, feedback: Feedback) -> str:
    """Thank for feedback, and repeat it.

    Args:
        label: The class that was answered.
        feedback: What the person said.

    Returns:
        Some sentences.
    """
    promise = " People will label your photograph, if it is among those that are kept." if feedback.consent else ""
    return f"Thank you.{_repeat(label, feedback)}{promise}"


def _repeat(label: str, feedback: Feedback) -> str:
    if feedback.verdict is None:
        return ""
    if feedback.verdict is Verdict.RIGHT:
        return f" You said that it is {label}."
    instead = f", but {feedback.claimed}" if feedback.claimed else ""
    return f" You said that it is not {label}{instead}."

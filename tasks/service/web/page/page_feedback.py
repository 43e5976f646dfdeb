"""What people say of an answer by the page's form, and what the page says then."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from tasks.domain.serving.feedback import Feedback, Verdict
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
    verdict = _VERDICTS.get(_field(fields, "right"))
    if verdict is None:
        raise ServiceProblemError(ProblemKind.MALFORMED, "The form says neither yes nor no.")
    claimed = _field(fields, "label") if verdict is Verdict.WRONG else ""
    return _field(fields, "answer"), Feedback(verdict, claimed)


def _field(fields: Mapping[str, Sequence[str]], name: str) -> str:
    return fields.get(name, [""])[0]


def thank(label: str, feedback: Feedback) -> str:
    """Thank for feedback, and repeat it.

    Args:
        label: The class that was answered.
        feedback: What the person said.

    Returns:
        Two sentences.
    """
    if feedback.verdict is Verdict.RIGHT:
        return f"Thank you. You said that it is {label}."
    instead = f", but {feedback.claimed}" if feedback.claimed else ""
    return f"Thank you. You said that it is not {label}{instead}."

"""What the page says of an answer, in words and bars, for people who know nothing of probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.domain.serving.answers import Answer, ModelIdentity
from tasks.domain.serving.problems import ProblemKind, ServiceProblem
from tasks.service.web.page.page_reasons import Reasons, show_reasons
from tasks.service.web.page.percent import write_percent

# The bars that are seen at once; those of further classes are folded up.
_SEEN = 5
_SHORT = 12
# What people are told who know nothing of requests; other problems are told as programs are told them.
_PLAIN = {ProblemKind.EMPTY_BODY: "Choose a photograph first."}


@dataclass(frozen=True, slots=True)
class Bar:
    """How likely one class is.

    Attributes:
        label: The class.
        percent: The probability in words.
        width: The probability in percent, as the length of a bar.
    """

    label: str
    percent: str
    width: float


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact about the model.

    Attributes:
        name: What the fact is about.
        text: The fact.
        hash: The whole hash where the fact is the beginning of one.
    """

    name: str
    text: str
    hash: str = ""


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An answer as the page shows it.

    Attributes:
        id: Its id.
        sure: Whether the headline is the class.
        headline: The class, or that the model does not know.
        explanation: One sentence more about that.
        sentence: Headline and explanation as a screen reader says them.
        bars: The likeliest classes, the first of them first.
        others: The further classes.
        milliseconds: What decoding and computing took.
        reasons: Why the answer; None where it has no reasons.
        guess: The likeliest class, also where the model is not sure; empty where there is no answer.
        picture: The photograph as a data: address; empty where it is not shown.
    """

    id: str
    sure: bool
    headline: str
    explanation: str
    sentence: str
    bars: Sequence[Bar]
    others: Sequence[Bar]
    milliseconds: int
    reasons: Reasons | None
    guess: str
    picture: str = ""

    @property
    def alternatives(self) -> Sequence[str]:
        """Return the classes that it could be instead, in the order of the alphabet."""
        return sorted(bar.label for bar in (*self.bars, *self.others) if bar.label != self.guess)


def show_answer(answer: Answer, picture: str = "") -> ShownAnswer:
    """Put an answer into words and bars.

    Args:
        answer: The answer.
        picture: The photograph as a data: address; empty where it is not shown.

    Returns:
        What the page shows.
    """
    headline, explanation, sentence = _describe(answer)
    ranked = sorted((answer.probabilities or {}).items(), key=lambda item: -item[1])
    bars = [Bar(label, write_percent(probability), round(100 * probability, 1)) for label, probability in ranked]
    # One class alone is not worth folding up.
    visible_bars = _SEEN if len(bars) > _SEEN + 1 else len(bars)
    return ShownAnswer(
        answer.id,
        answer.sure,
        headline,
        explanation,
        sentence,
        bars[:visible_bars],
        bars[visible_bars:],
        round(answer.elapsed_ms),
        show_reasons(answer),
        answer.label or "",
        picture,
    )


def _describe(answer: Answer) -> tuple[str, str, str]:
    """Return headline, explanation, and both as one sentence."""
    if answer.problem or answer.label is None or answer.probability is None:
        text = describe_problem(answer.problem) if answer.problem else "No answer."
        return "No answer", text, text
    percent = write_percent(answer.probability)
    if answer.sure:
        return (
            answer.label,
            f"{_capital(percent)} likely, and the model is sure enough to say so.",
            (f"{answer.label}, {percent} likely."),
        )
    guess = f"The best guess is {answer.label}, {percent} likely"
    return "I don't know", f"{guess}: not enough to say that it is one.", f"I don't know. {guess}."


def describe_answers(shown: Sequence[ShownAnswer]) -> str:
    """Say all answers in one line, for the title of the page and for screen readers.

    Args:
        shown: The answers.

    Returns:
        The line; empty where there is no answer.
    """
    if len(shown) == 1:
        return shown[0].sentence
    return " ".join(f"Photograph {number}: {answer.sentence}" for number, answer in enumerate(shown, 1))


def describe_problem(problem: ServiceProblem, again: str = "") -> str:
    """Say in words what went wrong, and when to try again.

    Args:
        problem: The problem.
        again: How to try again, as the end of a sentence.

    Returns:
        One to three sentences.
    """
    if problem.kind in _PLAIN:
        return _PLAIN[problem.kind]
    text = f"{problem.kind.title}. {_capital(problem.detail)}"
    if problem.retry_after is None:
        return text
    seconds = "1 second" if problem.retry_after == 1 else f"{problem.retry_after} seconds"
    return f"{text} Try again in {seconds}{f': {again}' if again else '.'}"


def name_model(model: ModelIdentity) -> str:
    """Return how people call the model: its name and version, as the reports call it."""
    return f"{model.name} version {model.version}"


def describe_model(model: ModelIdentity) -> list[Fact]:
    """List what the page says of the model; a model of MLflow's registry alone has no date, and may have no decision.

    Args:
        model: The model.

    Returns:
        The facts in their order.
    """
    facts = [
        Fact("Model", model.name),
        Fact("Version", model.version),
        Fact("Decision", str(model.decision or "")),
        Fact("Trained", write_day(model.trained) if model.trained else ""),
        *(Fact(name, text[:_SHORT], text) for name, text in _hashes(model)),
    ]
    return [fact for fact in facts if fact.text]


def _hashes(model: ModelIdentity) -> Sequence[tuple[str, str]]:
    return ("Dataset", model.dataset), ("Head", model.head), ("Backbone", model.backbone)


def write_day(time: str) -> str:
    """Write the day of a time in ISO 8601, such as 28 November 2026."""
    moment = datetime.fromisoformat(time)
    return f"{moment.day} {moment:%B %Y}"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]

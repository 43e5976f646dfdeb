"""What the page says of answers and problems, in words."""

from dataclasses import replace

from tasks.domain.serving.answers import Answer, ModelIdentity
from tasks.domain.serving.problems import ProblemKind, ServiceProblem
from tasks.service.web.page.page_text import describe_answers, describe_model, describe_problem, show_answer

MODEL = ModelIdentity("dogs", "4", 7, "c4731d", "0f1e2d3c4b5a6978", "395f1c", "2026-11-28T02:00:00+00:00")
ANSWER = Answer("01KB", MODEL, "beagle", 0.9375, True, {"corgi": 0.0625, "beagle": 0.9375}, 138.2)  # noqa: FBT003 - sure
UNUSABLE = ServiceProblem(ProblemKind.UNUSABLE, "not a picture of a known format.", "not-an-image")


def test_an_answer_names_its_class_and_the_likeliest_bar_comes_first() -> None:
    """Headline, sentence and bars say the same."""
    shown = show_answer(ANSWER)
    assert (shown.headline, shown.sentence) == ("beagle", "beagle, 94% likely.")
    assert [(bar.label, bar.percent, bar.width) for bar in shown.bars] == [
        ("beagle", "94%", 93.8),
        ("corgi", "6%", 6.2),
    ]


def test_a_model_that_is_not_sure_says_that_it_does_not_know() -> None:
    """Its best guess is told as a guess, and is not the headline."""
    shown = show_answer(replace(ANSWER, sure=False, probability=0.41))
    assert shown.headline == "I don't know"
    assert shown.sentence == "I don't know. The best guess is beagle, 41% likely."


def test_many_classes_are_folded_up_and_one_alone_is_not() -> None:
    """Six classes are seen; of seven two are folded up; none is lost."""
    for number, seen in ((6, 6), (7, 5), (120, 5)):
        shown = show_answer(replace(ANSWER, probabilities={f"{n}": 1 / number for n in range(number)}))
        assert (len(shown.bars), len(shown.bars) + len(shown.others)) == (seen, number)


def test_several_answers_are_said_one_after_the_other() -> None:
    """Each is said with its number, and so is a photograph that cannot be used."""
    bad = replace(ANSWER, label=None, probability=None, probabilities=None, sure=False, problem=UNUSABLE)
    assert describe_answers([show_answer(ANSWER), show_answer(bad)]) == (
        "Photograph 1: beagle, 94% likely. "
        "Photograph 2: The photograph cannot be used. Not a picture of a known format."
    )
    assert describe_answers([]) == ""


def test_a_problem_says_when_to_try_again() -> None:
    """A busy service is told with its seconds; who chose nothing is told so in other words than a program."""
    busy = ServiceProblem(ProblemKind.BUSY, "34 photographs are at work or wait.", retry_after=3)
    assert describe_problem(busy) == (
        "The service is busy. 34 photographs are at work or wait. Try again in 3 seconds."
    )
    assert describe_problem(replace(busy, retry_after=1)).endswith("Try again in 1 second.")
    assert describe_problem(busy, "choose it anew.").endswith("Try again in 3 seconds: choose it anew.")
    assert describe_problem(UNUSABLE, "choose it anew.").endswith("format.")
    assert describe_problem(ServiceProblem(ProblemKind.EMPTY_BODY, "x")) == "Choose a photograph first."


def test_the_model_is_told_with_what_is_known_of_it() -> None:
    """The day is written out without its hour; MLflow's registry alone knows no day, and sometimes no decision."""
    facts = {fact.name: fact.text for fact in describe_model(MODEL)}
    assert facts == {
        "Model": "dogs",
        "Version": "4",
        "Decision": "7",
        "Trained": "28 November 2026",
        "Dataset": "395f1c",
        "Head": "c4731d",
        "Backbone": "0f1e2d3c4b5a",
    }
    assert describe_model(MODEL)[-1].hash == MODEL.backbone
    known = [fact.name for fact in describe_model(replace(MODEL, decision=0, trained=""))]
    assert known == [name for name in facts if name not in {"Decision", "Trained"}]

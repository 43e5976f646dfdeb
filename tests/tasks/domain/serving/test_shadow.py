"""A challenger in the shadow of the champion: what is counted, and which pictures are kept."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.serving.shadow import KEPT, Agreement, ShadowAnswer

_CLASSES = ("boxer", "corgi", "poodle", "pug")
_ANSWERS = st.lists(
    st.tuples(
        st.integers(0, 50).map(str),
        st.builds(ShadowAnswer, st.sampled_from(_CLASSES), st.floats(0.25, 1), st.booleans()),
    )
)


def _counted(pairs: list[tuple[str, ShadowAnswer, ShadowAnswer]]) -> Agreement:
    agreement = Agreement()
    for image, champion, challenger in pairs:
        agreement.add(image, champion, challenger)
    return agreement


@given(_ANSWERS)
def test_a_model_agrees_with_itself(answers: list[tuple[str, ShadowAnswer]]) -> None:
    """The champion in its own shadow disagrees about nothing, and no picture is kept."""
    agreement = _counted([(image, answer, answer) for image, answer in answers])
    assert (agreement.total, agreement.agreed) == (len(answers), len(answers))
    assert agreement.disagreement == (0 if answers else None)
    assert (agreement.both_sure_different, agreement.disputed) == (0, {})


@given(_ANSWERS)
def test_two_swapped_classes_are_named(answers: list[tuple[str, ShadowAnswer]]) -> None:
    """A challenger that takes two classes for each other disagrees about these, completely, and about no other."""
    swapped = {"pug": "corgi", "corgi": "pug"}
    pairs = [
        (image, answer, answer._replace(label=swapped.get(answer.label, answer.label))) for image, answer in answers
    ]
    agreement = _counted(pairs)
    named = {part.label: part.instead for part in agreement.by_class() if part.agreed < part.answers}
    assert named == {
        label: other for label, other in swapped.items() if label in {answer.label for _, answer in answers}
    }
    assert all(part.agreed in (0, part.answers) for part in agreement.by_class())
    assert {picture.image for picture in agreement.disputed.values()} == {
        image for image, answer in answers if answer.label in swapped
    }
    assert agreement.both_sure_different == sum(answer.sure and answer.label in swapped for _, answer in answers)


def test_the_pictures_kept_are_bounded_and_the_surest() -> None:
    """Of ever so many differences the ones that say most are kept: both sure first, then the least doubt."""
    sure, unsure = ShadowAnswer("pug", 0.99, sure=True), ShadowAnswer("pug", 0.99, sure=False)
    pairs = [(f"{number:05}", unsure, ShadowAnswer("boxer", number / 10_000, sure=True)) for number in range(2_000)]
    pairs[700] = ("both sure", sure, ShadowAnswer("boxer", 0.01, sure=True))
    disputed = _counted(pairs).to_dict({}, {})["disputed"]
    assert len(disputed) == KEPT
    assert [picture["image"] for picture in disputed[:3]] == ["both sure", "01999", "01998"]


def test_a_flood_of_one_picture_is_kept_once() -> None:
    """Whoever sends the same picture a thousand times takes one place."""
    answers = ShadowAnswer("pug", 0.9, sure=True), ShadowAnswer("boxer", 0.9, sure=True)
    agreement = _counted([("flood", *answers)] * 1000 + [("another", *answers)])
    assert sorted(agreement.disputed) == ["another", "flood"]
    assert agreement.total == 1001


def test_it_is_written_as_json_and_in_a_sentence() -> None:
    """What MLflow and an approver get names the share, the class and the pictures."""
    assert str(Agreement()) == "no live picture was answered by both models yet"
    pug, boxer = ShadowAnswer("pug", 0.9, sure=True), ShadowAnswer("boxer", 0.8, sure=True)
    agreement = _counted([("first", pug, pug), ("second", pug, boxer), ("third", boxer, boxer), ("fourth", pug, pug)])
    assert str(agreement) == (
        "champion and challenger agree on 3 of 4 live answers, least about pug, which the challenger most often calls"
        " boxer; both are sure and differ on 1"
    )
    written = json.loads(json.dumps(agreement.to_dict({"version": "3"}, {"version": "4"})))
    assert (written["disagreement"], written["both_sure_different"]) == (0.25, 1)
    assert written["classes"][0] == {"label": "pug", "answers": 3, "agreed": 2, "instead": "boxer"}
    assert [picture["image"] for picture in written["disputed"]] == ["second"]

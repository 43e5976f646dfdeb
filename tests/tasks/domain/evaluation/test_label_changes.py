"""Labels that changed since the champion was evaluated, one by one or by whole folders, and who is asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.gate_rules import parse_rule
from configs.sections import Gate
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.comparison import EvaluationSet, compare
from tasks.domain.evaluation.label_changes import Relabelling, find_relabelling
from tasks.domain.evaluation.label_evidence import (
    LabelEvidence,
    LabelPrediction,
    collect_label_evidence,
    predict_with_head,
)
from tasks.domain.evaluation.vocabulary import match_classes
from tasks.domain.gate.gate import GateInputs, apply_gate_rules
from tasks.domain.gate.rules import apply_relabelled_rule
from tests.tasks.domain.measurements import CLASSES, DRIFT, SERVED, measured, predictions

RULE = parse_rule("relabelled of any class at most 0.1")
FORMER = {f"{label}{number}": label for label in CLASSES for number in range(20)}


def changed(labels: dict[str, str]) -> Relabelling:
    """Give some of a hundred photographs, of which every fourth is a test image, other labels."""
    rows = [
        Row(image, labels.get(image, label), Split.TEST if index % 4 == 0 else Split.TRAIN, (), image)
        for index, (image, label) in enumerate(FORMER.items())
    ]
    return find_relabelling(FORMER, rows)


def move(label: str, to: str, number: int) -> dict[str, str]:
    """Move the first photographs of a class to another."""
    return {f"{label}{index}": to for index in range(number)}


def test_what_moved_is_counted_by_class_and_direction() -> None:
    """The sentence says how many changed, in the test split too, of which class and to which."""
    assert changed(move("poodle", "pug", 8)).sentences() == (
        "8 photographs carry another label than before, 2 of them in the test split, lost by poodle 8, gained by pug 8",
    )


def test_the_champion_is_not_blamed_for_labels_that_moved() -> None:
    """A champion that answers as images were labelled when it was judged loses nothing by other labels."""
    truth = [number % 5 for number in range(40)]
    labels = ["pug" if number in {3, 8, 13} else CLASSES[index] for number, index in enumerate(truth)]
    champion = predictions(truth, np.ones(40, bool))
    evaluation_set = EvaluationSet(labels, [str(number) for number in range(40)], [()] * 40, frozenset({3, 8, 13}))
    comparison = compare(champion, champion, evaluation_set)
    assert (comparison.images, comparison.moved, comparison.champion) == (37, 3, 1.0)
    assert comparison.everywhere == (37 / 40, 37 / 40)


@pytest.mark.parametrize(
    ("after", "sentences"),
    [
        ({**FORMER, **move("poodle", "caniche", 20)}, ("poodle was renamed caniche",)),
        ({**FORMER, **move("poodle", "pug", 20)}, ("poodle was merged into pug",)),
        ({**FORMER, **move("poodle", "toy poodle", 8)}, ("toy poodle was split from poodle",)),
    ],
    ids=["renamed", "merged", "split"],
)
def test_whole_classes_are_no_relabelling(after: dict[str, str], sentences: tuple[str, ...]) -> None:
    """A class that is renamed, merged or split with most photographs kept asks nobody."""
    assert match_classes(FORMER, after).sentences() == sentences
    relabelling = changed({image: label for image, label in after.items() if FORMER[image] != label})
    assert not relabelling.moved
    assert apply_relabelled_rule(RULE, collect_label_evidence(relabelling, {}, {}), Gate()).passed


@pytest.mark.parametrize(("number", "outcome"), [(2, "passed"), (8, "ask")])
def test_a_class_that_lost_much_asks(number: int, outcome: str) -> None:
    """A class that lost more than a tenth of its photographs, with no word for the new labels, is unknown."""
    ruling = apply_relabelled_rule(RULE, collect_label_evidence(changed(move("poodle", "pug", number)), {}, {}), Gate())
    assert ruling.outcome == outcome
    assert f"lost {number} of 20 photographs to others" in ruling.said


@pytest.mark.parametrize(("old", "new", "outcome"), [(0.1, 0.9, "passed"), (0.9, 0.1, "ask")])
def test_corrections_that_photographs_bear_out_pass(old: float, new: float, outcome: str) -> None:
    """Of eight labels put right a head that never saw them prefers the new ones beyond chance, and nobody is asked."""
    relabelling = changed(move("poodle", "pug", 8))
    head = {moved.image: LabelPrediction("pug", old, new) for moved in relabelling.moved}
    assert apply_relabelled_rule(RULE, collect_label_evidence(relabelling, head, {}), Gate()).outcome == outcome


def test_few_wrong_labels_are_asked_about_where_photographs_speak_against_them() -> None:
    """Six photographs of a hundred that speak for their old labels ask, though no share is beyond the limit."""
    relabelling = changed({f"{label}0": CLASSES[index - 1] for index, label in enumerate(CLASSES)} | {"pug1": "boxer"})
    head = {moved.image: LabelPrediction(moved.before, 0.9, 0.05) for moved in relabelling.moved}
    assert apply_relabelled_rule(RULE, collect_label_evidence(relabelling, head, {}), Gate()).outcome == "ask"


@given(
    st.dictionaries(
        st.sampled_from([f"{label}{index}" for label in CLASSES for index in range(9)]), st.sampled_from(CLASSES)
    )
)
def test_no_class_moves_unseen(labels: dict[str, str]) -> None:
    """Where nothing speaks for new labels, every class that lost or gained more than a tenth asks, whatever moved."""
    relabelling = changed(labels)
    moved = {image: label for image, label in labels.items() if FORMER[image] != label}
    today = list({**FORMER, **labels}.values())
    lost = max(sum(FORMER[image] == label for image in moved) / 20 for label in CLASSES)
    gained = max(sum(new == label for new in moved.values()) / today.count(label) for label in CLASSES)
    ruling = apply_relabelled_rule(RULE, collect_label_evidence(relabelling, {}, {}), Gate(minimum_support=1))
    assert ruling.outcome == ("ask" if max(lost, gained) > 0.1 else "passed")
    assert ruling.value == pytest.approx(max(lost, gained))


def test_the_head_never_saw_what_moved() -> None:
    """Photographs in their old place of the feature space are taken for their old class, however many moved."""
    middles = dict(zip(CLASSES, np.eye(5, dtype=np.float32) * 10, strict=True))
    chance = np.random.default_rng(0)
    features = np.array([middles[label] for label in FORMER.values()]) + chance.normal(size=(100, 5))
    moved = move("poodle", "pug", 14)
    labels = [moved.get(image, label) for image, label in FORMER.items()]
    predictions = predict_with_head(changed(moved), features.astype(np.float32), labels, list(FORMER), list(FORMER))
    assert {word.answer for word in predictions.values() if word} == {"poodle"}
    assert len(predictions) == 14


CIRCLE = dict(zip(CLASSES, (*CLASSES[1:], CLASSES[0]), strict=True))
SWAP = {label: label for label in CLASSES} | {"poodle": "pug", "pug": "poodle"}
NEW_NAME = {label: label for label in CLASSES} | {"poodle": "caniche"}
GATES = Gate(needs="no-harm"), Gate(needs="improvement"), Gate(needs="likely-improvement")


def evidence(names: dict[str, str]) -> LabelEvidence:
    """Rename the folders of a hundred photographs, of which a champion knows the classes and no head speaks."""
    rows = [
        Row(image, names[label], Split.TEST if int(image.removeprefix(label)) < 12 else Split.TRAIN, (), image)
        for image, label in FORMER.items()
    ]
    relabelling = find_relabelling(FORMER, rows)
    words = {
        change.image: LabelPrediction(change.before, 0.9, 0.01)
        for change in relabelling.moved
        if change.split == Split.TEST.value
    }
    return collect_label_evidence(relabelling, {}, words)


@pytest.mark.parametrize(("names", "moved"), [(CIRCLE, 100), (SWAP, 40)], ids=["all permuted", "two swapped"])
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.needs)
def test_folders_that_changed_names_ask(names: dict[str, str], moved: int, gate: Gate) -> None:
    """Though the new model is right by the new names, and the champion wrong, nothing is promoted unseen."""
    result = evidence(names)
    ruling = apply_relabelled_rule(RULE, result, gate)
    assert (ruling.outcome, ruling.value) == ("ask", 1.0)
    assert "gained 20 of 20 photographs from others by relabelling" in ruling.said
    better = measured([], list(range(40)), 40)
    verdict = apply_gate_rules(GateInputs(better, None, DRIFT, SERVED, labels=result), gate)
    assert verdict.outcome != "promoted"
    assert f"{moved} photographs carry another label than before" in verdict.reason


def test_a_folder_of_a_new_name_is_no_relabelling() -> None:
    """A class that is renamed as a whole passes, and the sentence says so."""
    result = evidence(NEW_NAME)
    assert apply_relabelled_rule(RULE, result, Gate()).passed
    assert result.relabelling.sentences() == ("poodle was renamed caniche",)

"""Nights in which folders changed their names: all of them in a circle, or two of them with each other."""

import pytest

from configs.gate_rules import parse_rule
from configs.sections import Gate
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.label_changes import find_relabelling
from tasks.domain.evaluation.label_evidence import LabelEvidence, LabelPrediction, collect_label_evidence
from tasks.domain.gate.gate import Facts, apply_gate_rules
from tasks.domain.gate.rules import apply_relabelled_rule
from tests.tasks.domain.contests import CLASSES, HOLDINGS, SERVED, measured

RULE = parse_rule("relabelled of any class at most 0.1")
CIRCLE = dict(zip(CLASSES, (*CLASSES[1:], CLASSES[0]), strict=True))
SWAP = {label: label for label in CLASSES} | {"poodle": "pug", "pug": "poodle"}
NEW_NAME = {label: label for label in CLASSES} | {"poodle": "caniche"}
GATES = Gate(needs="no-harm"), Gate(needs="improvement"), Gate(needs="likely-improvement")


def evidence(names: dict[str, str]) -> LabelEvidence:
    """Rename the folders of a hundred photographs, of which a champion knows the classes and no head speaks."""
    former = {f"{label}{number}": label for label in CLASSES for number in range(20)}
    rows = [
        Row(image, names[label], Split.TEST if int(image.removeprefix(label)) < 12 else Split.TRAIN, (), image)
        for image, label in former.items()
    ]
    found = find_relabelling(former, rows, {})
    words = {one.image: LabelPrediction(one.before, 0.9, 0.01) for one in found.moved if one.split == Split.TEST.value}
    return collect_label_evidence(found, {}, words)


@pytest.mark.parametrize(("names", "moved"), [(CIRCLE, 100), (SWAP, 40)], ids=["all permuted", "two swapped"])
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.needs)
def test_folders_that_changed_names_ask(names: dict[str, str], moved: int, gate: Gate) -> None:
    """Though the new model is right by the new names, and the champion wrong, nothing is promoted unseen."""
    found = evidence(names)
    ruling = apply_relabelled_rule(RULE, found, gate)
    assert (ruling.outcome, ruling.value) == ("ask", 1.0)
    assert "gained 20 of 20 photographs from others by relabelling" in ruling.said
    better = measured([], list(range(40)), 40)
    verdict = apply_gate_rules(Facts(better, None, HOLDINGS, SERVED, labels=found), gate)
    assert verdict.outcome != "promoted"
    assert f"{moved} photographs carry another label than before" in verdict.reason


def test_a_folder_of_a_new_name_is_no_relabelling() -> None:
    """A class that is renamed as a whole passes, and the sentence says so."""
    found = evidence(NEW_NAME)
    assert apply_relabelled_rule(RULE, found, Gate()).passed
    assert found.relabelling.sentences() == ("poodle was renamed caniche",)

"""The gate's rules, and the rates at which it errs."""

from dataclasses import replace

import numpy as np
import pytest

from configs.sections import Gate
from tasks.domain.evaluation.metrics import Measurement
from tasks.domain.gate.gate import GateInputs, apply_gate_rules
from tests.tasks.domain.measurements import DRIFT, SERVED, draw_verdict, measured

IMAGES = 150  # ten of each class and coat
RUNS = 100  # tests/benchmarks/gate_errors.py draws more


def facts(challenger_wrong: list[int], champion_wrong: list[int] | None) -> GateInputs:
    """Put together two models that are wrong about these images."""
    return GateInputs(measured(challenger_wrong, champion_wrong, IMAGES), None, DRIFT, SERVED)


def of(breed: int, coat: int) -> list[int]:
    """List the images of a class and a coat."""
    return [number for number in range(IMAGES) if number % 5 == breed and number // 5 % 3 == coat]


def test_without_a_champion_only_rules_with_a_number_are_asked() -> None:
    """The first model is judged by its own figures and the data, and by nothing that compares."""
    verdict = apply_gate_rules(facts([0, 1], None), Gate())
    assert verdict.promoted
    assert [rule.rule for rule in verdict.rules] == [
        "accuracy at least 0.5",
        "classes lost at most 0",
        "label conflicts at most 0.05",
        "served as evaluated",
    ]
    assert verdict.reason == "accuracy 0.987 on 150 images is at least 0.5, and 3 more rules passed"


def test_a_figure_below_its_number_is_refused() -> None:
    """The reason holds every broken rule with its figure, its images and its limit, and no other."""
    verdict = apply_gate_rules(
        facts(list(range(90)), None), Gate(rules=("accuracy at least 0.5", "top_3 at least 0.1"))
    )
    assert verdict.outcome == "rejected"
    assert verdict.reason == "accuracy 0.400 on 150 images: accuracy at least 0.5"
    figures = [(rule.value, rule.limit, rule.passed) for rule in verdict.rules]
    assert figures == [(0.4, 0.5, False), (1.0, 0.1, True), (0.0, 0.0, True)]
    assert verdict.rules[-1].rule == "served as evaluated"


def test_a_slice_that_fell_is_named_though_the_whole_gained() -> None:
    """Accuracy rises with evidence, but black poodles are not recognised any more: the gate names them and refuses."""
    gate = Gate()
    inputs = facts(of(3, 0), [number for number in range(IMAGES) if number % 5 == 0])
    assert inputs.test.comparison
    assert (inputs.test.comparison.challenger or 0) > (inputs.test.comparison.champion or 1)
    verdict = apply_gate_rules(inputs, gate)
    assert verdict.outcome == "rejected"
    assert "recall of poodle with coat=black 0.000 against 1.000 on 10 images" in verdict.reason
    without = tuple(rule for rule in gate.rules if "slice" not in rule and "class not worse" not in rule)
    assert apply_gate_rules(inputs, gate.model_copy(update={"rules": without})).promoted


def test_a_slice_of_few_images_is_unknown() -> None:
    """A slice of too few images breaks no rule; where no slice is known, silence means what the settings say."""
    inputs, rule = facts(of(3, 0), None), ("recall of any slice at least 0.5",)
    assert apply_gate_rules(inputs, Gate(rules=rule, minimum_support=10)).outcome == "rejected"
    assert apply_gate_rules(inputs, Gate(rules=rule, minimum_support=11)).promoted
    for silence, outcome in (("pass", "promoted"), ("fail", "rejected"), ("ask", "needs-approval")):
        verdict = apply_gate_rules(
            inputs, Gate.model_validate({"rules": rule, "minimum_support": 200, "when_silent": silence})
        )
        assert verdict.outcome == outcome
        assert "not enough images to tell" in verdict.rules[0].said


def test_a_rule_may_ask_a_person() -> None:
    """A broken rule that ends in else ask leaves the decision to a person, unless another one refuses."""
    inputs = facts(list(range(30)), None)
    assert apply_gate_rules(inputs, Gate(rules=("accuracy at least 0.9 else ask",))).outcome == "needs-approval"
    gate = Gate(rules=("accuracy at least 0.9 else ask", "top_3 at least 0.99", "coverage at least 1"))
    assert apply_gate_rules(inputs, gate).outcome == "needs-approval"
    refusing = Gate(rules=("accuracy at least 0.9 else ask", "macro_f1 at least 0.9"))
    assert apply_gate_rules(inputs, refusing).outcome == "rejected"


def test_rules_about_the_data() -> None:
    """Too few images of a class, a lost class, conflicts and drift are each refused with what is meant."""
    data = replace(DRIFT, images={"pug": 9, "boxer": 10}, lost=("collie",), conflicts=0.1, drift=0.4, drifted="coat")
    inputs = GateInputs(facts([], None).test, None, data)
    for rule, words in (
        ("images of any class at least 10", "images of pug 9"),
        ("classes lost at most 0", "classes lost 1 (collie)"),
        ("label conflicts at most 0.05", "label conflicts 0.100"),
        ("drift at most 0.3", "drift 0.400 (of coat)"),
    ):
        verdict = apply_gate_rules(inputs, Gate(rules=(rule,)))
        assert (verdict.outcome, verdict.reason) == ("rejected", f"{words}: {rule}")


def test_a_gap_between_slices() -> None:
    """The gap between the best and the worst value of an attribute is held against its limit, and both are named."""
    verdict = apply_gate_rules(facts([*of(3, 0), *of(1, 0)], None), Gate(rules=("gap of coat at most 0.3",)))
    assert verdict.reason == "gap of coat 0.400 (best white, worst black): gap of coat at most 0.3"


def test_rules_on_the_golden_set_look_there() -> None:
    """A rule that ends in on golden speaks of the golden set alone."""
    bad, fine = facts(list(range(100)), None).test, facts([], None).test
    gate = Gate(rules=("accuracy on golden at least 0.9",))
    assert apply_gate_rules(GateInputs(bad, fine, DRIFT), gate).promoted
    assert apply_gate_rules(GateInputs(fine, bad, DRIFT), gate).outcome == "rejected"


def test_new_classes_are_reason_enough_without_harm() -> None:
    """A challenger that knows a class more is promoted unless a rule finds harm, and its new class is named."""
    verdict = apply_gate_rules(GateInputs(_with_new("pug", []), None, DRIFT), Gate())
    assert verdict.promoted
    assert verdict.reason.startswith("new to the champion: pug, which is enough where no rule finds harm")
    harmful = apply_gate_rules(GateInputs(_with_new("pug", of(3, 0)), None, DRIFT), Gate())
    assert harmful.outcome == "rejected"
    assert not any("no rule found harm" in rule.said for rule in harmful.rules)


def _with_new(label: str, wrong: list[int]) -> Measurement:
    measurement = measured(wrong, [], IMAGES)
    assert measurement.comparison
    return replace(measurement, comparison=replace(measurement.comparison, only_challenger=(label,)))


def test_what_cannot_be_told_says_how_many_images_would_do() -> None:
    """A gain that chance may explain is no reason, and the sentence says about how many more test images would do."""
    gate = Gate(needs="improvement")
    verdict = apply_gate_rules(facts([], [0, 1, 2]), gate)
    assert verdict.outcome == "rejected"
    assert verdict.reason.startswith(
        "not enough test images to tell whether it is better: accuracy 1.000 against 0.980"
    )
    assert verdict.reason.endswith(
        "p 0.12; about 160 more would do; gate.needs: no-harm would promote it unless a rule finds harm"
    )
    assert apply_gate_rules(facts([0], [0]), gate).reason.startswith(
        "not better than the champion: accuracy 0.993 against 0.993 on 150 test images; "
    )
    assert "nothing is known of what the champion learned from" in apply_gate_rules(facts([0], [0]), Gate()).reason
    assert apply_gate_rules(facts([0], [0]), Gate(needs="no-harm")).promoted


@pytest.mark.parametrize(
    ("shares", "alike"), [((0.05, 0.05), 1), ((0.04, 0.07), 1), ((0.05, 0.05), 4)], ids=["equal", "worse", "alike"]
)
def test_a_model_that_is_no_better_is_seldom_promoted(shares: tuple[float, float], alike: int) -> None:
    """A challenger as good as its champion, or worse, is promoted at most at the rate, also where images are alike."""
    chance, gate = np.random.default_rng(7), Gate()
    promoted = np.mean([draw_verdict(100, shares, gate, chance, alike).promoted for _ in range(RUNS)])
    assert promoted <= gate.error_rate + 2 * np.sqrt(gate.error_rate * (1 - gate.error_rate) / RUNS)


def test_an_equal_model_is_seldom_called_harmful() -> None:
    """All comparing rules together refuse a model as good as its champion at most at the rate."""
    chance, gate = np.random.default_rng(8), Gate(needs="no-harm")
    refused = np.mean([not draw_verdict(100, (0.05, 0.05), gate, chance).promoted for _ in range(RUNS)])
    assert refused <= gate.error_rate + 2 * np.sqrt(gate.error_rate * (1 - gate.error_rate) / RUNS)

"""The improvement rule: whether a challenger is better or likely to be, and what would tell where that is not known."""

from configs.gate_rules import IMPROVEMENT
from configs.sections import Gate
from tasks.domain.evaluation.comparison import Comparison
from tasks.domain.evaluation.data_growth import DataGrowth
from tasks.domain.evaluation.paired_tests import PairedDifference
from tasks.domain.gate.rule_result import RuleResult, format_p_value
from tasks.domain.phrasing import count
from tasks.domain.significance import estimate_images_needed, holm

# More than this many times the test images are not worth asking for.
_OUT_OF_REACH = 100
_NAMED = 3


def apply_improvement_rule(comparison: Comparison, gate: Gate, growth: DataGrowth | None = None) -> RuleResult:
    """Require evidence that the challenger is better, or that it knows classes which the champion does not.

    All other rules watch over harm. With ``gate.needs: likely-improvement`` more training data counts as evidence too,
    unless cross-validation speaks against it.

    Args:
        comparison: Both models on the test split.
        gate: The figure to be better at, the error rate, and what counts as evidence.
        growth: How the training data grew since the champion; None where that cannot be known.

    Returns:
        The result of the rule.
    """
    likely = gate.needs == "likely-improvement"
    pair = next((pair for pair in comparison.paired if (pair.figure, pair.of) == (gate.better_at, "")), None)
    if pair and pair.drop < 0 and pair.better <= gate.error_rate:
        return _build_result(
            pair, gate, f"better: {_describe_figures(pair)}, {format_p_value(pair.better)}", passed=True
        )
    if comparison.only_challenger:
        more = len(comparison.only_challenger) - _NAMED
        message = (
            f"new to the champion: {', '.join(comparison.only_challenger[:_NAMED])}{f' and {more:,} more' * (more > 0)}"
        )
        return _build_result(pair, gate, f"{message}, which is enough where no rule finds harm", passed=True)
    message = _describe_unproven(pair, gate) if pair else _describe_nothing_shared(comparison)
    objection = _find_objection(growth, gate)
    if growth and likely and not objection:
        message = f"likely better: {_describe_growth(growth)}; gate.needs: improvement would wait ({message})"
        return _build_result(pair, gate, message, passed=True)
    return _build_result(pair, gate, f"{message}; {_describe_alternative(objection, gate)}", passed=False)


def estimate_more_images(pair: PairedDifference, rate: float) -> int:
    """Estimate how many more test images would show a difference of this size, if it is real, four times in five.

    Args:
        pair: A comparison in which the challenger is ahead.
        rate: The error rate of the one-sided test.

    Returns:
        The number of additional images, at least 1.
    """
    from scipy.special import ndtri

    if pair.wins is not None and pair.losses is not None:
        groups = estimate_images_needed(pair.wins / pair.groups, pair.losses / pair.groups, rate)
        images = groups * pair.images / pair.groups
    else:
        images = pair.images * ((ndtri(1 - rate) + ndtri(0.8)) * pair.spread / pair.drop) ** 2
    return max(1, round(images) - pair.images)


def describe_growth_shortfall(growth: DataGrowth, gate: Gate) -> str:
    """Describe why more data is no evidence of improvement, whatever cross-validation says.

    Args:
        growth: How the training data grew since the champion.
        gate: How much more data counts as evidence.

    Returns:
        The reason; empty where more data may be evidence.
    """
    if growth.kept < growth.learned:
        gone = f"{growth.learned - growth.kept:,} of the champion's {growth.learned:,} training images"
        return f"this run lacks {gone}, gone or under another label"
    if growth.recipe == "other":
        return "the champion was made by other training settings"
    if growth.recipe == "same" and growth.share < gate.more_data:
        if not growth.more:
            return f"its training images are the champion's {growth.learned:,} and no others"
        more = f"it learned from {growth.share:.1%} more images than the champion's {growth.learned:,}"
        return f"{more}, and gate.more_data asks for {gate.more_data:.0%}"
    return ""


def _build_result(pair: PairedDifference | None, gate: Gate, message: str, *, passed: bool) -> RuleResult:
    more = "more data, " if gate.needs == "likely-improvement" else ""
    p_value = pair.better if pair and pair.drop < 0 else None
    return RuleResult(
        f"{IMPROVEMENT} {gate.better_at}, {more}or new classes",
        "passed" if passed else "failed",
        -pair.drop if pair else None,
        0.0,
        passed=passed,
        said=message,
        p=p_value,
        unlikely=p_value is not None and p_value <= gate.error_rate,
    )


def _describe_nothing_shared(comparison: Comparison) -> str:
    return "no test image kept the label it had" if comparison.moved else "no test image of a class that both know"


def _find_objection(growth: DataGrowth | None, gate: Gate) -> str:
    """Return what keeps more data from being evidence; empty where nothing does."""
    if growth is None:
        return "nothing is known of what the champion learned from"
    return describe_growth_shortfall(growth, gate) or _find_cross_validation_objection(growth, gate)


def _find_cross_validation_objection(growth: DataGrowth, gate: Gate) -> str:
    """Return what cross-validation holds against the challenger.

    Another backbone must be shown to be ahead: unlike more data it is no reason by itself.

    Returns:
        The objection; empty where the challenger's data are ahead, new images fit the old ones, and no class is harmed.
    """
    folds = growth.cross_validated
    if folds is None or not folds.comparison.paired:
        return "there is nothing to cross-validate"
    if folds.unlike <= gate.error_rate:
        share = f"{folds.new_right:.3f} against {folds.expected:.3f}, {format_p_value(folds.unlike)}"
        return (
            f"cross-validation puts the {folds.new:,} new images under their labels less often than old ones ({share})"
        )
    pairs = [pair for pair in folds.comparison.paired if pair.wins is not None]
    significant = holm([pair.worse for pair in pairs], gate.error_rate, [pair.least for pair in pairs])
    harmful = [
        pair for pair, is_significant in zip(pairs, significant, strict=True) if is_significant and pair.drop > 0
    ]
    behind = [pair for pair in pairs if pair.figure == "accuracy" and pair.drop > 0]
    if harmful or behind:
        worst = max(harmful or behind, key=lambda pair: pair.drop)
        maybe = "" if harmful else ", which chance may explain"
        message = f"{_describe_pair(worst)} on {count(worst.images, 'image')}{maybe}"
        new = "the other backbone" if growth.recipe == "another backbone" else "the new images"
        return f"in cross-validation old images are recognised less often with {new}: {message}"
    shown = pairs[0].better <= gate.error_rate or growth.recipe == "same"
    return (
        "" if shown else f"cross-validation does not show either that it is better ({format_p_value(pairs[0].better)})"
    )


def _describe_growth(growth: DataGrowth) -> str:
    message = f"it learned from all {growth.learned:,} training images of the champion and {growth.more:,} more"
    message += ", by another backbone" if growth.recipe == "another backbone" else ""
    pairs = growth.cross_validated.comparison.paired if growth.cross_validated else ()
    pair = next(pair for pair in pairs if pair.figure == "accuracy")
    return f"{message}, which cross-validation bears out ({_describe_pair(pair)} on {count(pair.images, 'image')})"


def _describe_alternative(objection: str, gate: Gate) -> str:
    harmless = "gate.needs: no-harm would promote it unless a rule finds harm"
    if gate.needs == "likely-improvement":
        return f"{objection}; {harmless}"
    return harmless if objection else f"{harmless}, and so would gate.needs: likely-improvement"


def _describe_unproven(pair: PairedDifference, gate: Gate) -> str:
    if pair.drop >= 0 or (pair.wins is not None and pair.losses is not None and pair.wins <= pair.losses):
        return f"not better than the champion: {_describe_figures(pair)}"
    more = estimate_more_images(pair, gate.error_rate)
    if more > _OUT_OF_REACH * pair.images:
        return f"not shown to be better: {_describe_figures(pair)}, {format_p_value(pair.better)}"
    message = (
        f"not enough test images to tell whether it is better: {_describe_figures(pair)}, {format_p_value(pair.better)}"
    )
    return f"{message}; about {_round_up(more):,} more would do"


def _describe_figures(pair: PairedDifference) -> str:
    return f"{pair.figure} {pair.challenger:.3f} against {pair.champion:.3f} on {count(pair.images, 'test image')}"


def _describe_pair(pair: PairedDifference) -> str:
    name = f"{pair.figure} of {pair.of}" if pair.of else pair.figure
    return f"{name} {pair.challenger:.3f} against {pair.champion:.3f}"


def _round_up(number: int) -> int:
    """Round up to two digits: the number is an estimate."""
    unit: int = 10 ** max(len(str(number)) - 2, 0)
    return int(-(-number // unit)) * unit

"""Whether a challenger is better, or likely to be, and if that cannot be told, what would do."""

from configs.sections import Gate
from tasks.domain.evaluation.comparison import Comparison
from tasks.domain.evaluation.data_growth import Growth
from tasks.domain.evaluation.paired_tests import Paired
from tasks.domain.gate.rule_result import Ruling, chance
from tasks.domain.phrasing import count
from tasks.domain.significance import holm, images_needed

# Beyond so many times the test images, more of them is no advice.
_OUT_OF_REACH = 100
_NAMED = 3


def improvement(found: Comparison, gate: Gate, growth: Growth | None = None) -> Ruling:
    """Ask for evidence that the challenger is better, or for classes that the champion does not know.

    The other rules see to it that neither goes with harm. With ``gate.needs: likely-improvement`` more data is evidence
    too, as far as cross-validation does not speak against them.
    """
    likely = gate.needs == "likely-improvement"
    one = next((one for one in found.paired if (one.figure, one.of) == (gate.better_at, "")), None)
    if one and one.fall < 0 and one.better <= gate.error_rate:
        return _ruling(one, gate, f"better: {_figures(one)}, {chance(one.better)}", passed=True)
    if found.only_challenger:
        more = len(found.only_challenger) - _NAMED
        said = f"new to the champion: {', '.join(found.only_challenger[:_NAMED])}{f' and {more:,} more' * (more > 0)}"
        return _ruling(one, gate, f"{said}, which is enough where no rule finds harm", passed=True)
    said = _not_shown(one, gate) if one else _nothing_shared(found)
    against = _against(growth, gate)
    if growth and likely and not against:
        said = f"likely better: {_learned(growth)}; gate.needs: improvement would wait ({said})"
        return _ruling(one, gate, said, passed=True)
    return _ruling(one, gate, f"{said}; {_alternative(against, gate)}", passed=False)


def _ruling(one: Paired | None, gate: Gate, said: str, *, passed: bool) -> Ruling:
    more = "more data, " if gate.needs == "likely-improvement" else ""
    ahead = one.better if one and one.fall < 0 else None
    return Ruling(
        f"better at {gate.better_at}, {more}or new classes",
        "passed" if passed else "failed",
        -one.fall if one else None,
        0.0,
        passed=passed,
        said=said,
        p=ahead,
        unlikely=ahead is not None and ahead <= gate.error_rate,
    )


def needed(one: Paired, rate: float) -> int:
    """Estimate how many more test images would show a difference of this size, if it is there, four times in five."""
    from scipy.special import ndtri

    if one.wins is not None and one.losses is not None:
        groups = images_needed(one.wins / one.groups, one.losses / one.groups, rate)
        images = groups * one.images / one.groups
    else:
        images = one.images * ((ndtri(1 - rate) + ndtri(0.8)) * one.spread / one.fall) ** 2
    return max(1, round(images) - one.images)


def lacking(growth: Growth, gate: Gate) -> str:
    """Say why more data are no evidence yet, whatever cross-validation says of them; nothing where they may be."""
    if growth.kept < growth.learned:
        gone = f"{growth.learned - growth.kept:,} of the champion's {growth.learned:,} training images"
        return f"tonight lacks {gone}, gone or under another label"
    if growth.recipe == "other":
        return "the champion was made by other training settings"
    if growth.recipe == "same" and growth.share < gate.more_data:
        if not growth.more:
            return f"its training images are the champion's {growth.learned:,} and no others"
        more = f"it learned from {growth.share:.1%} more images than the champion's {growth.learned:,}"
        return f"{more}, and gate.more_data asks for {gate.more_data:.0%}"
    return ""


def _nothing_shared(found: Comparison) -> str:
    return "no test image kept the label it had" if found.moved else "no test image of a class that both know"


def _against(growth: Growth | None, gate: Gate) -> str:
    """Say what keeps more data from being evidence; nothing where they are."""
    if growth is None:
        return "nothing is known of what the champion learned from"
    return lacking(growth, gate) or _doubt(growth, gate)


def _doubt(growth: Growth, gate: Gate) -> str:
    """Say what cross-validation holds against the challenger; nothing where its data are ahead, fit, and harm no class.

    Another backbone must be shown to be ahead: unlike more data it is no reason by itself.
    """
    found = growth.cross_validated
    if found is None or not found.comparison.paired:
        return "there is nothing to cross-validate"
    if found.unlike <= gate.error_rate:
        share = f"{found.new_right:.3f} against {found.expected:.3f}, {chance(found.unlike)}"
        return (
            f"cross-validation puts the {found.new:,} new images under their labels less often than old ones ({share})"
        )
    tests = [one for one in found.comparison.paired if one.wins is not None]
    speaks = holm([one.worse for one in tests], gate.error_rate, [one.least for one in tests])
    harm = [one for one, spoken in zip(tests, speaks, strict=True) if spoken and one.fall > 0]
    behind = [one for one in tests if one.figure == "accuracy" and one.fall > 0]
    if harm or behind:
        worst = max(harm or behind, key=lambda one: one.fall)
        maybe = "" if harm else ", which chance may explain"
        said = f"{_pair(worst)} on {count(worst.images, 'image')}{maybe}"
        new = "the other backbone" if growth.recipe == "another backbone" else "the new images"
        return f"in cross-validation old images are recognised less often with {new}: {said}"
    shown = tests[0].better <= gate.error_rate or growth.recipe == "same"
    return "" if shown else f"cross-validation does not show either that it is better ({chance(tests[0].better)})"


def _learned(growth: Growth) -> str:
    said = f"it learned from all {growth.learned:,} training images of the champion and {growth.more:,} more"
    said += ", by another backbone" if growth.recipe == "another backbone" else ""
    found = growth.cross_validated.comparison.paired if growth.cross_validated else ()
    one = next(one for one in found if one.figure == "accuracy")
    return f"{said}, which cross-validation bears out ({_pair(one)} on {count(one.images, 'image')})"


def _alternative(against: str, gate: Gate) -> str:
    harmless = "gate.needs: no-harm would promote it unless a rule finds harm"
    if gate.needs == "likely-improvement":
        return f"{against}; {harmless}"
    return harmless if against else f"{harmless}, and so would gate.needs: likely-improvement"


def _not_shown(one: Paired, gate: Gate) -> str:
    if one.fall >= 0 or (one.wins is not None and one.losses is not None and one.wins <= one.losses):
        return f"not better than the champion: {_figures(one)}"
    more = needed(one, gate.error_rate)
    if more > _OUT_OF_REACH * one.images:
        return f"not shown to be better: {_figures(one)}, {chance(one.better)}"
    said = f"not enough test images to tell whether it is better: {_figures(one)}, {chance(one.better)}"
    return f"{said}; about {_round(more):,} more would do"


def _figures(one: Paired) -> str:
    return f"{one.figure} {one.challenger:.3f} against {one.champion:.3f} on {count(one.images, 'test image')}"


def _pair(one: Paired) -> str:
    name = f"{one.figure} of {one.of}" if one.of else one.figure
    return f"{name} {one.challenger:.3f} against {one.champion:.3f}"


def _round(number: int) -> int:
    """Keep two digits: it is an estimate."""
    unit: int = 10 ** max(len(str(number)) - 2, 0)
    return int(-(-number // unit)) * unit

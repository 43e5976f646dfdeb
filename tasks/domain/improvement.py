"""Whether a challenger is shown to be better, and if that cannot be told, how many more test images would do."""

from configs.judging import Gate
from tasks.domain.comparison import Comparison
from tasks.domain.paired import Paired
from tasks.domain.ruling import Ruling, chance
from tasks.domain.statistics import images_needed
from tasks.domain.wording import count

# Beyond so many times the test images, more of them is no advice.
_OUT_OF_REACH = 100
_NAMED = 3


def improvement(found: Comparison, gate: Gate) -> Ruling:
    """Ask for evidence that the challenger is better, or for classes that the champion does not know.

    The other rules see to it that neither goes with harm.
    """
    rule = f"better at {gate.better_at}, or new classes"
    one = next((one for one in found.paired if (one.figure, one.of) == (gate.better_at, "")), None)
    value = -one.fall if one else None
    if one and one.fall < 0 and one.better <= gate.error_rate:
        return Ruling(rule, "passed", value, 0.0, passed=True, said=f"better: {_figures(one)}, {chance(one.better)}")
    if found.only_challenger:
        more = len(found.only_challenger) - _NAMED
        said = f"new to the champion: {', '.join(found.only_challenger[:_NAMED])}{f' and {more:,} more' * (more > 0)}"
        return Ruling(rule, "passed", value, 0.0, passed=True, said=f"{said}, which is enough where no rule finds harm")
    said = _not_shown(one, gate) if one else "no test image of a class that both know"
    return Ruling(rule, "failed", value, 0.0, passed=False, said=said)


def needed(one: Paired, rate: float) -> int:
    """Estimate how many more test images would show a difference of this size, if it is there, four times in five."""
    from scipy.special import ndtri

    if one.wins is not None and one.losses is not None:
        groups = images_needed(one.wins / one.groups, one.losses / one.groups, rate)
        images = groups * one.images / one.groups
    else:
        images = one.images * ((ndtri(1 - rate) + ndtri(0.8)) * one.spread / one.fall) ** 2
    return max(1, round(images) - one.images)


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


def _round(number: int) -> int:
    """Keep two digits: it is an estimate."""
    unit: int = 10 ** max(len(str(number)) - 2, 0)
    return int(-(-number // unit)) * unit

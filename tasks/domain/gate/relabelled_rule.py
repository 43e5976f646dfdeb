"""The rule ``relabelled of any class at most SHARE``: a class whose labels moved is unknown until something speaks."""

from collections.abc import Sequence

from configs.gate_rules import Rule
from configs.sections import Gate
from tasks.domain.evaluation.label_evidence import LabelEvidence, Testimony, Witnessed
from tasks.domain.gate.rule_result import Ruling, broken, chance, kept, naming, silent
from tasks.domain.phrasing import count
from tasks.domain.significance import holm

# Where nothing speaks for labels that moved, a class that is recognised less often by more than this is asked about.
_FALL = 0.05


def relabelled(rule: Rule, evidence: LabelEvidence | None, gate: Gate) -> Ruling:
    """Hold each class's share of relabelled photographs against the limit.

    A class is beyond it, too, where so many test images moved that too few are left, and whatever the share where the
    photographs speak for their old labels beyond chance: those of one class and direction (Holm's method), or all
    together. Where they speak for neither, no class may be recognised less often by more than five points, whether
    chance explains it or not. Nothing is asked of photographs that speak for their new labels beyond chance.
    """
    if evidence is None:
        return silent(rule, gate, "the labels under which the champion was judged cannot be read")
    speaking = _speaking(evidence, gate)
    own = [one for one in evidence.classes if (rule.any or one.change.label == rule.of) and not vindicated(one, gate)]
    beyond = [one for one in own if one in speaking or rule.broken_by(one.change.share) or _too_few(one, gate)]
    worst = max((one.change.share for one in own), default=0.0)
    if beyond:
        return broken(rule, worst, naming([_words(one, gate) for one in beyond], rule))
    if own and (said := _together(evidence, gate)):
        return broken(rule, worst, f"{said}; {naming([_words(one, gate) for one in own], rule)}")
    return kept(rule, worst, _fine(evidence, own, gate))


def vindicated(one: Witnessed, gate: Gate) -> bool:
    """Tell whether the photographs that moved speak for their new labels beyond chance, and no witness against them."""
    return one.head.for_new <= gate.error_rate < one.champion.for_old


def _speaking(evidence: LabelEvidence, gate: Gate) -> list[Witnessed]:
    """List the movements of which a witness speaks for the old labels beyond chance."""
    heard = [testimony for one in evidence.classes for testimony in (one.head, one.champion)]
    least = [0.5 ** (testimony.old + testimony.new) for testimony in heard]
    speaks = holm([testimony.for_old for testimony in heard], gate.error_rate, least) if heard else []
    return [one for number, one in enumerate(evidence.classes) if any(speaks[2 * number : 2 * number + 2])]


def _together(evidence: LabelEvidence, gate: Gate) -> str:
    """Say what all movements together are asked about that no single one is; nothing where there is nothing to ask."""
    pooled = evidence.pooled([one for one in evidence.classes if not vindicated(one, gate)])
    if pooled.for_old <= gate.error_rate:
        return f"all relabelled photographs together speak for their old labels ({_heard('the head', pooled)})"
    fall = next(iter(evidence.falls), None)
    if fall is None or fall.points <= _FALL or pooled.for_new <= gate.error_rate:
        return ""
    figures = f"{fall.challenger:.3f} against {fall.champion:.3f} on {count(fall.images, 'image')}"
    return f"recall of {fall.label} {figures} by the labels before, while nothing speaks for the new ones"


def _fine(evidence: LabelEvidence, own: Sequence[Witnessed], gate: Gate) -> str:
    if not evidence.relabelling.moved:
        return "no photograph carries another label than before"
    if own:
        return _words(own[0], gate)
    vouched = [one for one in evidence.classes if vindicated(one, gate)]
    return f"the photographs speak for their new labels: {_words(vouched[0], gate)}" if vouched else "of other classes"


def _too_few(one: Witnessed, gate: Gate) -> bool:
    return one.change.direction == "lost" and one.change.left < gate.minimum_support <= one.change.tested


def _words(one: Witnessed, gate: Gate) -> str:
    change = one.change
    way = "to others" if change.direction == "lost" else "from others"
    text = (
        f"{change.label} {change.direction} {change.images:,} of {count(change.of, 'photograph')} {way} by relabelling"
    )
    if _too_few(one, gate):
        text += f" and has {count(change.left, 'test image')} left of {change.tested:,}"
    return f"{text} ({_heard('the head', one.head)}; {_heard('the champion', one.champion)})"


def _heard(witness: str, found: Testimony) -> str:
    if not found.old + found.new:
        return f"{witness} cannot tell"
    p = min(found.for_old, found.for_new)
    return f"{witness} prefers the old label of {found.old:,} and the new one of {found.new:,}, {chance(p)}"

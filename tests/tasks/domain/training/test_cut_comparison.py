"""Which cut is chosen, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import PedigreeError
from tasks.domain.training.cut_comparison import CutPredictions, compare_cuts

IMAGES = 400
GROUPS = np.arange(IMAGES)
WIDTHS = {"mixed2": 288, "mixed8": 1280, "mixed9": 2048, "mixed8+mixed9": 3328}
HARD = np.random.default_rng(0).gamma(2, 0.4, IMAGES)


def answers(cut: str, more: float, noise: float = 0.02) -> CutPredictions:
    """Answer as well as on other cuts, image by image, but for a loss that is higher by so much and a little noise."""
    chance = np.random.default_rng(WIDTHS[cut]).normal(scale=noise, size=IMAGES)
    losses = np.maximum(HARD + 0.1 + more + chance - chance.mean(), 0)
    return CutPredictions(cut, WIDTHS[cut], losses < np.log(2), losses)


@pytest.mark.parametrize(
    ("more", "chosen", "message"),
    [
        ({"mixed2": 0.2, "mixed8": 0.0, "mixed9": 0.1}, "mixed8", "of the single cuts mixed8 has the lowest log loss"),
        ({"mixed2": 0.2, "mixed8": 0.0005, "mixed9": 0.0}, "mixed8", "smallest within one standard error of the best"),
        ({"mixed8": 0.0, "mixed9": 0.1, "mixed8+mixed9": -0.05}, "mixed8+mixed9", "are better beyond chance: -0.0"),
        ({"mixed8": 0.0, "mixed9": 0.1, "mixed8+mixed9": -0.0005}, "mixed8", "are not better beyond chance"),
        ({"mixed9": 0.3}, "mixed9", "lowest log loss"),
    ],
)
def test_what_is_best_beyond_chance_is_chosen(more: dict[str, float], chosen: str, message: str) -> None:
    """The smallest cut that is as good as any is taken, and two together only where they are better beyond chance."""
    comparison = compare_cuts([answers(cut, loss) for cut, loss in more.items()], GROUPS)
    assert comparison.chosen == chosen
    assert message in comparison.reason
    assert [cut.cut for cut in comparison.cuts] == list(more)
    assert str(comparison).endswith("400 images of 400 near-duplicate groups, none of them a test image")


def test_a_pair_is_chosen_on_evidence_alone() -> None:
    """Of six pairs that are no better than the single cut hardly ever one is chosen: in at most four of 60 trials."""
    chance, groups, chosen = np.random.default_rng(0), np.arange(100), []
    cuts = ["mixed8", *(f"mixed8+mixed{index}" for index in range(6))]
    for _ in range(60):
        losses = chance.gamma(2, 0.4, (len(cuts), len(groups)))
        tried = [CutPredictions(cut, 2, loss < np.log(2), loss) for cut, loss in zip(cuts, losses, strict=True)]
        chosen.append(compare_cuts(tried, groups).chosen)
    assert sum(cut != "mixed8" for cut in chosen) <= 4


def test_a_cut_at_which_all_photographs_are_the_same_is_not_chosen() -> None:
    """It is named instead, however low its loss came out; where every cut is so, a sentence says what to do."""
    same, other = replace(answers("mixed2", 0.0), varies=False), answers("mixed8", 0.3)
    comparison = compare_cuts([same, other], GROUPS)
    assert comparison.chosen == "mixed8"
    assert comparison.reason.endswith("; all photographs have the same features at mixed2")
    with pytest.raises(PedigreeError, match="the same features at each single cut"):
        compare_cuts([same], GROUPS)


def test_figures_lie_in_their_intervals_and_are_plain() -> None:
    """Accuracy and log loss are the plain means, with an interval about them; near duplicates widen it."""
    first, second = answers("mixed8", 0.0), answers("mixed9", 0.1)
    apart, together = (compare_cuts([first, second], groups) for groups in (GROUPS, GROUPS // 4))
    for comparison in (apart, together):
        figures = comparison.cuts[0]
        assert figures.accuracy == pytest.approx(first.correct.mean())
        assert figures.log_loss == pytest.approx(first.losses.mean())
        assert figures.accuracy_low < figures.accuracy < figures.accuracy_high
        assert figures.log_loss_low < figures.log_loss < figures.log_loss_high
    copies = np.argsort(first.losses)  # Alike pictures are alike hard.
    grouped = np.empty(IMAGES, np.int64)
    grouped[copies] = GROUPS // 4
    wide = compare_cuts([first, second], grouped).cuts[0]
    assert wide.log_loss_high - wide.log_loss_low > 1.5 * (apart.cuts[0].log_loss_high - apart.cuts[0].log_loss_low)


@settings(max_examples=25, deadline=None)
@given(st.permutations(["mixed2", "mixed8", "mixed9", "mixed8+mixed9"]), st.integers(0, 5))
def test_the_order_of_cuts_does_not_matter(order: list[str], seed: int) -> None:
    """Whoever measures the cuts in another order chooses the same one."""
    more = dict(zip(WIDTHS, np.random.default_rng(seed).normal(scale=0.03, size=4), strict=True))
    comparison = compare_cuts([answers(cut, more[cut]) for cut in order], GROUPS)
    assert comparison.chosen == compare_cuts([answers(cut, more[cut]) for cut in WIDTHS], GROUPS).chosen

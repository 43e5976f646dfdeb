"""Which cut: each, and two of the last together, by heads held out, and what auto would choose on a first run."""

from itertools import combinations

import numpy as np

from tasks.domain.training.cut_comparison import CutComparison, compare_cuts
from tasks.features.backbone_cuts import cross_fit_cut
from tasks.modeling.backbone.inception import CUTS
from tests.benchmarks.photographs.collection import Collection

# Cuts before these are worse alone on every set, and a pass over all of them would take minutes more.
_SINGLE = CUTS[5:]
_PAIRS = tuple("+".join(pair) for pair in combinations(CUTS[-4:], 2))


def print_cuts(monkeys: Collection, dogs: Collection) -> None:
    """Print each cut's figures by cross-validation over near-duplicate groups, and the choice."""
    for collection in (monkeys, dogs):
        print(_table(collection.name, compared(collection)))


def compared(collection: Collection) -> CutComparison:
    """Measure the cuts of a collection as ``pedigree backbone compare`` does, on all of its images."""
    answers = [
        cross_fit_cut(cut, _features(collection, cut), collection.truth, collection.groups)
        for cut in (*_SINGLE, *_PAIRS)
    ]
    return compare_cuts(answers, np.unique(collection.groups, return_inverse=True)[1])


def _features(collection: Collection, cut: str) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.concatenate([collection.features[layer] for layer in cut.split("+")], axis=1)


def _table(name: str, comparison: CutComparison) -> str:
    lines = [
        f"| cut ({name}) | numbers | log loss | 95% interval | accuracy | 95% interval |",
        "|---|---|---|---|---|---|",
    ]
    for cut in comparison.cuts:
        loss = f"{cut.log_loss:.3f} | {cut.log_loss_low:.3f} to {cut.log_loss_high:.3f}"
        accuracy = f"{cut.accuracy:.3f} | {cut.accuracy_low:.3f} to {cut.accuracy_high:.3f}"
        lines.append(f"| {cut.cut} | {cut.width:,} | {loss} | {accuracy} |")
    return "\n".join([*lines, "", f"Auto chooses {comparison}.", ""])

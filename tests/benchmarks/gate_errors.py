"""How often the gate errs, and how often it sees what is there: drawn runs, judged by the default rules.

python -m tests.benchmarks.gate_errors; with a number, only so many runs a row:
python -m tests.benchmarks.gate_errors 50
"""

import sys

import numpy as np

from configs.sections import Gate
from tasks.domain.gate.gate import Verdict
from tests.tasks.domain.measurements import draw_verdict

RUNS = 400
IMAGES = (60, 200, 1000)
# The share of images about which only the challenger is right, and only the champion; how many are alike.
PAIRS = {
    "equal": ((0.05, 0.05), 1),
    "equal, four images alike": ((0.05, 0.05), 4),
    "1 point worse": ((0.045, 0.055), 1),
    "3 points worse": ((0.035, 0.065), 1),
    "10 points worse": ((0.02, 0.12), 1),
    "3 points better": ((0.065, 0.035), 1),
    "5 points better": ((0.075, 0.025), 1),
    "10 points better": ((0.12, 0.02), 1),
}
HEAD = ("test images", "the challenger is", "promoted", "no rule found harm", "accuracy not below the champion's")


def outcome_of(verdict: Verdict) -> tuple[bool, bool, bool]:
    """Tell whether a run promotes, whether it finds no harm, and whether a comparison of two accuracies would do."""
    improvement, *rules = verdict.rules
    return verdict.promoted, all(rule.passed for rule in rules), (improvement.value or 0.0) >= 0


def main() -> None:
    """Print one row a number of images and pair of models."""
    runs, gate = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS, Gate()
    print(f"{runs} runs a row, rate {gate.error_rate:g}, five classes, three coats\n")
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for images in IMAGES:
        for name, (shares, alike) in PAIRS.items():
            chance = np.random.default_rng([images, *name.encode()])
            outcomes = [outcome_of(draw_verdict(images, shares, gate, chance, alike)) for _ in range(runs)]
            rates = " | ".join(f"{rate:.1%}" for rate in np.mean(outcomes, axis=0))
            print(f"| {images:,} | {name} | {rates} |", flush=True)


if __name__ == "__main__":
    main()

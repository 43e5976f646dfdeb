"""Everything that Pedigree claims of real photographs, table by table.

docs/explanation/accuracy.md shows what it printed.

python -m tests.benchmarks.real_photographs MONKEYS DOGS WEIGHTS [--keep FOLDER] [--only TABLE …]
"""

import argparse
import inspect
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.photographs.bias import print_bias
from tests.benchmarks.photographs.collection import Collection, collect
from tests.benchmarks.photographs.cuts import print_cuts
from tests.benchmarks.photographs.heads import print_heads
from tests.benchmarks.photographs.label_issues import print_label_issues
from tests.benchmarks.photographs.naive import print_naive
from tests.benchmarks.photographs.relabelled import print_relabelled
from tests.benchmarks.photographs.splits import print_splits
from tests.benchmarks.photographs.sure import print_sure
from tests.benchmarks.photographs.year import print_year

#: What makes a table, by its name; each takes the monkeys and the dogs and prints.
TABLES: dict[str, Callable[[Collection, Collection], None]] = {
    "bias": print_bias,
    "cuts": print_cuts,
    "suspects": print_label_issues,
    "sure": print_sure,
    "heads": print_heads,
    "naive": print_naive,
    "splits": print_splits,
    "relabelled": print_relabelled,
    "year": print_year,
}


def main() -> None:
    """Print the tables asked for, or all of them."""
    parser = argparse.ArgumentParser(description=inspect.getdoc(inspect.getmodule(main)))
    parser.add_argument("monkeys", type=Path, help="ten species, one folder each")
    parser.add_argument("dogs", type=Path, help="25 breeds, one folder each")
    parser.add_argument("weights", type=Path, help="InceptionV3's weights, trained on photographs, as a Keras file")
    parser.add_argument("--keep", type=Path, help="a folder where features stay for the next time")
    parser.add_argument("--only", nargs="+", choices=sorted(TABLES), default=list(TABLES), metavar="TABLE")
    args = parser.parse_args()
    monkeys, dogs = (collect(folder, args.weights, args.keep) for folder in (args.monkeys, args.dogs))
    for name in args.only:
        print(f"## {name}\n")
        TABLES[name](monkeys, dogs)
        print(flush=True)


if __name__ == "__main__":
    main()

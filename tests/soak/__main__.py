"""Play ten nights and print how each ended: ``python -m tests.soak``."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from configs.environment import prepare_environment
from tests.leftovers import end_with_this_process


def main() -> int:
    """Print a line for each night, and what is not as it must be at the end."""
    end_with_this_process()
    with TemporaryDirectory(prefix="pedigree-soak-") as name:
        # Nothing of this machine's own shall take part.
        for variable in [one for one in os.environ if one.startswith(("AWS_", "PREFECT_", "MLFLOW_"))]:
            del os.environ[variable]
        os.environ["PEDIGREE_HOME"] = f"{name}/home-of-this-process"
        prepare_environment()
        from tests.soak.nights import TEN, loose_ends, play
        from tests.soak.world import world

        with world(Path(name) / "world") as found:
            os.environ |= {one: found.environment[one] for one in found.environment if one.startswith("AWS_")}
            told, loose = play(found, TEN), loose_ends(found)
    lines = ["| night | ended | as it must | decisions | seconds |", "|---|---|---|---|---|"]
    for one in told:
        ended, fine = ", ".join(one.ended), "yes" if one.fine else "NO"
        lines.append(f"| {one.name} | {ended} | {fine} | {one.decisions} | {one.seconds:.0f} |")
    lines += loose or ["The ledger, MLflow and the aliases are as if nothing had happened."]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if all(one.fine for one in told) and not loose else 1


if __name__ == "__main__":
    sys.exit(main())

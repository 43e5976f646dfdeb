"""Play ten episodes of a soak and print how each ended: ``python -m tests.soak``."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from configs.environment import prepare_environment
from tests.leftovers import end_with_this_process


def main() -> int:
    """Print a line for each episode, and what is not as it must be at the end."""
    end_with_this_process()
    with TemporaryDirectory(prefix="pedigree-soak-") as name:
        # Nothing of this machine's own shall take part.
        for variable in [key for key in os.environ if key.startswith(("AWS_", "PREFECT_", "MLFLOW_"))]:
            del os.environ[variable]
        os.environ["PEDIGREE_HOME"] = f"{name}/home-of-this-process"
        prepare_environment()
        from tests.soak.episodes import TEN, loose_ends, play
        from tests.soak.world import world

        with world(Path(name) / "world") as soak_world:
            os.environ |= {key: value for key, value in soak_world.environment.items() if key.startswith("AWS_")}
            results, loose = play(soak_world, TEN), loose_ends(soak_world)
    lines = ["| episode | ended | as it must | decisions | seconds |", "|---|---|---|---|---|"]
    for result in results:
        ended, fine = ", ".join(result.ended), "yes" if result.fine else "NO"
        lines.append(f"| {result.name} | {ended} | {fine} | {result.decisions} | {result.seconds:.0f} |")
    lines += loose or ["The ledger, MLflow and the aliases are as if nothing had happened."]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if all(result.fine for result in results) and not loose else 1


if __name__ == "__main__":
    sys.exit(main())

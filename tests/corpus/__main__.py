"""Write every source of the corpus into a folder: ``python -m tests.corpus FOLDER``."""

import sys
from pathlib import Path

from tests.corpus.sources import SOURCES, Case


def write(case: Case, folder: Path) -> None:
    """Write one source into a folder that is not there yet."""
    for key, data in case.objects().items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if case.entries:
        case.entries(folder)


if __name__ == "__main__":
    for name, case in SOURCES.items():
        write(case, Path(sys.argv[1]) / name)

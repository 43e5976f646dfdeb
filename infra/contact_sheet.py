"""Draw one dog of every demo breed and coat: ``python -m infra.contact_sheet docs/images/drawn-dogs.png``."""

import sys
from pathlib import Path

from tasks.domain.drawing import BREEDS, contact_sheet

if __name__ == "__main__":
    contact_sheet(BREEDS).quantize(128).save(Path(sys.argv[1]), optimize=True)

"""What clients are told beside answers is documented."""

import re

from tasks.domain.serving.problems import ProblemKind
from tests.servers import ROOT


def test_the_page_on_the_api_lists_the_status_of_every_problem() -> None:
    """A client finds each status that it can get in the table of errors."""
    page = (ROOT / "docs" / "reference" / "service.md").read_text(encoding="utf-8")
    listed = [int(status) for status in re.findall(r"^\| (\d{3}) \|", page, re.MULTILINE)]
    assert listed == sorted({kind.status for kind in ProblemKind})

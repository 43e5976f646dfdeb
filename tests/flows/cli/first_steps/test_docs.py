"""The pages that help and messages name are shown at the terminal."""

import pytest

from configs.errors import PedigreeError
from flows.cli.first_steps.docs import complete_page, docs_folder, find_page


@pytest.mark.parametrize("name", ["docs/how-to/s3.md", "how-to/s3", "s3", "docs/how-to/s3.md#credentials"])
def test_a_page_is_named_as_messages_name_it_or_in_short(name: str) -> None:
    """The path of a message, with a heading or without, its end, and its last word lead to one page."""
    assert find_page(name) == docs_folder() / "how-to" / "s3.md"


@pytest.mark.parametrize(("name", "remedy"), [("setings", "reference/settings"), ("\x1b", "pedigree docs lists all")])
def test_a_page_that_is_not_there_leads_to_those_that_are(name: str, remedy: str) -> None:
    """Who mistyped a name is told the nearest ones, and else how to list them."""
    with pytest.raises(PedigreeError, match=remedy):
        find_page(name)


def test_the_shell_completes_pages() -> None:
    """Pages are completed by the names that find them."""
    names = complete_page("how-to/s")
    assert {"how-to/s3", "how-to/scale"} <= set(names)
    assert all(find_page(name).is_file() for name in complete_page(""))

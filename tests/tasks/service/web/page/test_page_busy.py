"""The page of a service that is busy or gone: people are told what to do, and what they have chosen is not lost."""

from unittest.mock import patch

from tasks.domain.serving.admission import Capacity
from tests.browser import find_axe_violations, needs_chromium, open_page
from tests.servers import wait_until
from tests.tasks.service.champions import ChampionStore, ready, serving

_KEPT = "your photograph is still chosen."


@needs_chromium
def test_whoever_is_sent_away_asks_again(champions: ChampionStore) -> None:
    """A full queue and a service that is gone are told with what to do; a script asks again by the button alone."""
    champions.promote(champions.head(1))
    with serving(champions) as (service, client), open_page("about:blank", 390, 844) as page:
        wait_until(lambda: ready(client), 60, "a model", pause=0.05)
        page.goto(service.address)
        said, ask = page.get_by_role("status"), page.get_by_role("button", name="Ask")
        with patch.object(Capacity, "admits", return_value=False):
            dog = {"name": "dog.png", "mimeType": "image/png", "buffer": champions.files[0]}
            page.get_by_label("Choose photographs").set_input_files(dog)  # type: ignore[arg-type]
            said.get_by_text(f"Try again in 1 second: {_KEPT}").wait_for()
            assert said.inner_text().startswith("The service is busy.")
            assert find_axe_violations(page) == []
            for width in (1280, 390):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth") == width
            plain = client.post("/", files={"image": ("dog.png", champions.files[0], "image/png")})
        page.context.set_offline(True)
        ask.click()
        said.get_by_text(f"The service cannot be reached. Try again in a moment: {_KEPT}").wait_for()
        page.context.set_offline(False)
        ask.click()
        page.locator("article h2").wait_for()
    # Without script the page comes back without the file.
    assert (plain.status_code, plain.headers["retry-after"]) == (503, "1")
    assert "Try again in 1 second: choose your photograph anew." in plain.text
    assert 'type="file"' in plain.text

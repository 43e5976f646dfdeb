"""The page for people, as they meet it: on a phone and at a desk, by keyboard, in the dark, and without script."""

import base64
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch
from urllib.parse import urlsplit

import httpx
import pytest

from tasks.domain.serving.inbox_record import InboxRecord
from tasks.service.models.served_model import Squares
from tasks.service.web.access import KEY_VARIABLE
from tasks.stores.inbox import Inbox
from tests.browser import find_axe_violations, needs_chromium, open_page
from tests.servers import wait_until
from tests.tasks.service.champions import CLASSES, ChampionStore, ready, serving

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload, JSHandle, Page

PHONE, DESK = (390, 844), (1280, 900)
# One field with a file and one in which none was chosen, as browsers send them.
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n%b\r\n'
    b'--x\r\nContent-Disposition: form-data; name="image"; filename=""\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\r\n--x--\r\n"
)
TYPE = {"Content-Type": "multipart/form-data; boundary=x"}
SPOKEN = "Choose a photograph first."
TRANSFER = """text => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], "dog.png", {type: "image/png"}));
    return transfer;
}"""


@dataclass
class Served:
    """A running service, with photographs of which its champion is sure and not sure."""

    address: str
    client: httpx.Client
    label: str
    sure: bytes
    unsure: bytes
    dataset: str
    inbox: Inbox


@pytest.fixture(scope="module")
def served(_embedded: ChampionStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Service of a champion that takes at most a megabyte."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(_embedded.url, folder / "store")
    champions = replace(_embedded, url=str(folder / "store"))
    head = champions.head(1)
    likely = {data: max(row.values()) for data, row in champions.expected(head).items()}
    sure, unsure = max(likely, key=likely.__getitem__), min(likely, key=likely.__getitem__)
    head = replace(head, threshold=(likely[sure] + likely[unsure]) / 2)
    champions.promote(head)
    row = champions.expected(head)[sure]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEDIGREE_HOME", str(folder / "home"))
        inbox = str(folder / "inbox")
        with serving(champions, inbox, max_megabytes=1, show_training=True, follow_seconds=0.1) as (service, client):
            wait_until(lambda: ready(client) and "why" not in client.get("/ready").json(), 60, "a model", pause=0.05)
            label = max(row, key=row.__getitem__)
            yield Served(service.address, client, label, sure, unsure, champions.dataset, Inbox(inbox))


def photograph(data: bytes) -> "FilePayload":
    """Return a file as a file chooser hands it over."""
    return {"name": "dog.png", "mimeType": "image/png", "buffer": data}


def transfer(page: "Page", data: bytes) -> "JSHandle":
    """Return a photograph as it is dropped or pasted."""
    return page.evaluate_handle(TRANSFER, base64.b64encode(data).decode())


def wait_for_headline(page: "Page", headline: str) -> None:
    """Wait until the page says so much of the only photograph, and let it forget that again."""
    page.locator("article h2", has_text=headline).wait_for()
    assert page.locator("article").count() == 1
    page.evaluate("document.getElementById('answer').replaceChildren()")


def test_the_page_needs_no_script_and_loads_nothing_from_elsewhere(served: Served) -> None:
    """A plain form is answered by the same page, with the answer and the model's pedigree; nothing in it is inline."""
    first = served.client.get("/")
    # The picture on the page is what the model saw: nothing is decoded a second time, beside the bounded queue.
    with patch.object(Squares, "decode", autospec=True, side_effect=Squares.decode) as decode:
        answer = served.client.post("/", content=FORM % served.sure, headers=TYPE)
    assert decode.call_count == 1
    for page in (first, answer):
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["content-security-policy"].startswith("default-src 'self'; img-src 'self' data:;")
        assert not re.search(r"<style|\bstyle=|<script>|\bon\w+=|https?:", page.text)
        assert served.dataset[:12] in page.text
        for address in re.findall(r'(?:href|src)="(/[^"]+)"', page.text):
            assert served.client.get(address).status_code == 200
    assert answer.text.count("<article>") == 1
    title = re.findall("<title>(.*)</title>", answer.text)[0]
    assert f"{served.label}, " in title
    assert title.endswith("version 1")
    assert 'src="data:image/jpeg;base64,' in answer.text
    assert served.client.get(re.findall('src="(/v1/training/[^"]+)"', answer.text)[0]).status_code == 200
    assert f"The model learned {served.label} from 3 training images" in answer.text
    assert "<article>" not in first.text
    assert served.client.get("/static/../page.py").status_code == 404


def test_problems_are_told_in_words_with_their_status(served: Served) -> None:
    """No file, one that is no picture, and one that is too large."""
    nothing = served.client.post("/", content=FORM.replace(b"a.png", b"") % b"", headers=TYPE)
    assert nothing.status_code == 400
    assert f'role="status"><p class="problem">{SPOKEN}' in nothing.text
    text = served.client.post("/", content=FORM % b"woof", headers=TYPE)
    assert text.status_code == 422
    assert "The photograph cannot be used. Not a picture" in text.text
    large = served.client.post("/", content=FORM % bytes(2**20), headers=TYPE)
    assert large.status_code == 413
    assert "A request has at most 1 megabytes." in large.text


def test_a_browser_asks_people_for_the_key_as_a_password(
    champions: ChampionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page takes the key as a password; the addresses for programs do not, so that no browser adds it unasked."""
    key = "key-of-more-than-sixteen-letters"
    monkeypatch.setenv(KEY_VARIABLE, key)
    champions.promote(champions.head(1))
    with serving(champions) as (_, client):
        wait_until(lambda: ready(client), 60, "a model", pause=0.05)
        refused = client.get("/")
        assert (refused.status_code, refused.headers["www-authenticate"].split()[0]) == (401, "Basic")
        assert client.get("/version").headers["www-authenticate"] == "Bearer"
        assert client.get("/static/page.css").status_code == 200
        assert client.get("/", auth=("anybody", f"{key}x")).status_code == 401
        assert client.get("/", headers={"Authorization": "Basic ?"}).status_code == 401
        assert client.get("/", auth=("anybody", key)).status_code == 200
        assert client.post("/", content=FORM % champions.files[0], headers=TYPE, auth=("", key)).status_code == 200
        assert client.get("/v1/training/none", auth=("anybody", key)).status_code == 404
        assert client.get("/version", auth=("anybody", key)).status_code == 401


@needs_chromium
def test_photographs_are_chosen_dropped_pasted_and_asked_for_by_keyboard(served: Served) -> None:
    """Each way leads to the answer, which screen readers are told; no request leaves the service."""
    asked: list[str] = []
    with open_page("about:blank", *DESK) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(served.address)
        status = page.get_by_role("status")
        page.get_by_label("Choose photographs").set_input_files(photograph(served.sure))
        wait_for_headline(page, served.label)
        assert status.inner_text().startswith(f"{served.label}, ")
        page.dispatch_event("form", "drop", {"dataTransfer": transfer(page, served.unsure)})
        wait_for_headline(page, "I don't know")
        assert status.inner_text().startswith("I don't know. The best guess is ")
        pasted = transfer(page, served.sure)
        page.evaluate("data => document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))", pasted)
        page.get_by_role("img", name="The photograph").wait_for()
        wait_for_headline(page, served.label)

        # A chooser that opens before somebody listens would be a window of the screen.
        page.on("filechooser", lambda _chooser: None)
        page.reload()
        page.keyboard.press("Tab")
        page.locator("#choose:focus").wait_for()
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        chooser.value.set_files(photograph(served.unsure))
        wait_for_headline(page, "I don't know")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        wait_for_headline(page, "I don't know")
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(served.address).netloc}


def say(page: "Page", button: str, label: str = "") -> None:
    """Say of the answer that the page shows whether it is right."""
    if label:
        page.get_by_label("it is").select_option(label)
    page.get_by_role("button", name=button, exact=True).click()


@needs_chromium
@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_people_say_whether_it_is_right(served: Served, script: bool) -> None:
    """With and without script: the words are repeated, and where there is script they get the focus."""
    other = next(label for label in CLASSES if label != served.label)
    with open_page(served.address, *PHONE, java_script_enabled=script) as page:
        for button, label, thanks in (
            ("Yes", "", f"Thank you. You said that it is {served.label}."),
            ("No", other, f"Thank you. You said that it is not {served.label}, but {other}."),
            ("No", "", f"Thank you. You said that it is not {served.label}."),
        ):
            page.get_by_label("Choose photographs").set_input_files(photograph(served.sure))
            if not script:
                page.get_by_role("button", name="Ask").click()
            say(page, button, label)
            page.get_by_text(thanks, exact=True).wait_for()
            if script:
                assert page.locator(":focus").inner_text() == thanks
                assert find_axe_violations(page) == []
    counts = served.client.get("/metrics").text
    assert f'pedigree_feedback_total{{label="{served.label}",verdict="wrong",version="1"}}' in counts


@needs_chromium
@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_people_agree_to_have_a_photograph_kept(served: Served, script: bool) -> None:
    """Only who ticks the box has it kept, with what was said; the box is empty at first and explains itself."""
    other, data = next(label for label in CLASSES if label != served.label), served.sure if script else served.unsure
    with open_page(served.address, *PHONE, java_script_enabled=script) as page:
        for agrees in (False, True):
            page.get_by_label("Choose photographs").set_input_files(photograph(data))
            if not script:
                page.get_by_role("button", name="Ask").click()
            box = page.get_by_role("checkbox", name="Keep this photograph to improve the model")
            assert not box.is_checked()
            if agrees:
                box.check()
                name = page.locator("input[name=answer]").get_attribute("value")
            say(page, "No" if script or not agrees else "I can't say", other if script else "")
            page.get_by_text("Thank you.").wait_for()
            assert page.get_by_text("People will label your photograph").count() == agrees
    wait_until(lambda: name in {record.answer for record in read_inbox(served.inbox)}, 60, "the picture", pause=0.2)
    record = next(record for record in read_inbox(served.inbox) if record.answer == name)
    assert (record.wrong, record.claimed) == ((True, other) if script else (False, ""))
    assert record.reasons == (("contradicted",) if script else ("unsure",))


def read_inbox(inbox: Inbox) -> list[InboxRecord]:
    """Return what the inbox holds."""
    return inbox.read_all(inbox.listing())[0]


def test_the_form_of_another_site_is_refused(served: Served) -> None:
    """Neither a photograph nor feedback comes from elsewhere, and a form that says nothing is told so."""
    for address in ("/", "/feedback"):
        headers = TYPE | {"Sec-Fetch-Site": "cross-site"}
        assert served.client.post(address, content=FORM % served.sure, headers=headers).status_code == 403
    silent = served.client.post("/feedback", data={"answer": "x"})
    assert silent.status_code == 400
    assert "The form says neither yes nor no." in silent.text


@needs_chromium
def test_without_script_the_form_shows_the_photograph_and_its_answer(served: Served) -> None:
    """The button sends it, and the page that comes back stands where the answer is."""
    with open_page(served.address, *PHONE, java_script_enabled=False) as page:
        assert page.get_by_text("You can also drop").is_hidden()
        page.get_by_label("Choose photographs").set_input_files(photograph(served.sure))
        page.get_by_role("button", name="Ask").click()
        page.get_by_role("heading", name=served.label).wait_for()
        assert page.url == f"{served.address}/#answer"
        image = page.get_by_alt_text("The photograph, stretched to the square that the model sees")
        assert image.evaluate("image => image.naturalWidth") == 75


@needs_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    served: Served, theme: str, size: tuple[int, int], tmp_path: Path
) -> None:
    """Before a photograph, with a sure and an unsure answer, and with problems of a file and of the request."""
    phone = size == PHONE
    (tmp_path / "large").write_bytes(bytes(2**20))
    with open_page(served.address, *size, color_scheme=theme, is_mobile=phone, has_touch=phone) as page:
        choose = page.get_by_label("Choose photographs")
        assert page.get_by_label("Or take a photograph").is_visible() == phone
        for data, expected in (
            (b"", "form"),
            (served.sure, "article h2:not(.unsure)"),
            (served.unsure, "article h2.unsure"),
            (b"woof", "article:not(:has(table))"),
        ):
            if data:
                choose.set_input_files(photograph(data))
            page.locator(expected).wait_for()
            assert find_axe_violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        choose.set_input_files(tmp_path / "large")
        page.get_by_role("status").get_by_text("A request has at most 1 megabytes.").wait_for()
        assert find_axe_violations(page) == []

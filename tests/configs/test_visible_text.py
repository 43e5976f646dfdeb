"""Text of strangers does nothing in any medium, and stays what people can read."""

import json
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from configs.errors import PedigreeError, ServiceUnavailableError, SettingsError
from configs.visible_text import json_text, markdown, visible, visible_lines

ANSI = "\x1b]0;pwned\x07\x1b[31mred\x1b[0m"
PICTURE = "[click me](http://evil) ![t](http://evil/track.png)"
# Any text at all, also halves of letters; and texts that are full of what means something to somebody.
SIGNS = st.text(
    st.sampled_from("\x1b\x07\n\r\t\x85\u202e\u2066\u2028\u200d\ufe0f\U000e0041\ud800 a1é👩क.`*_[]()!<>|&#~-+=:/@\\")
)
TEXTS = st.text(st.characters()) | SIGNS
# What may stay of the characters that are not seen: joiners and the choice of a letter's form, where they are at home.
AT_HOME = re.compile("[\u200c\u200d\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd]")

READABLE = [
    "柴犬",
    "Böhme, Ærø & Søn",
    "e\u0301te\u0301",
    "נְקֻדּוֹת",
    "👩\u200d👩\u200d👧 ❤\ufe0f\u200d🔥 👍🏽 🇩🇪 1\ufe0f\u20e3",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "क्\u200dष",
    "C:\\dogs\\50 %",
    "a b\u00a0c\u3000d",
]
HIDDEN = {
    "\x1b[2J": r"\x1b[2J",
    "\x00\x08\x7f\x9b31m": r"\x00\x08\x7f\x9b31m",
    "a\nb\rc\td\x85e": r"a\nb\rc\td\x85e",
    "cat\u202egpj.exe": r"cat\u202egpj.exe",
    "\u202a\u202b\u202c\u202d\u2066\u2067\u2068\u2069": r"\u202a\u202b\u202c\u202d\u2066\u2067\u2068\u2069",
    "\u200e\u200f\u061c": r"\u200e\u200f\u061c",
    "a\u2028b\u2029c": r"a\u2028b\u2029c",
    "pu\u200bg\ufeff\u2060\u00ad": r"pu\u200bg\ufeff\u2060\xad",
    "pu\u200dg pu\u200cg": r"pu\u200dg pu\u200cg",
    "x\U000e0068\U000e0069": r"x\U000e0068\U000e0069",
    "x\ufe00\ufe01\ufe02": "x\ufe00\\ufe01\\ufe02",
    "\u3164\u115f\u034f": r"\u3164\u115f\u034f",
    "\udcff.jpg": r"\udcff.jpg",
}


@pytest.mark.parametrize("text", READABLE)
def test_what_people_write_is_left_alone(text: str) -> None:
    """Letters, accents, joined emoji and scripts that need joiners, spaces and backslashes stay as they are."""
    assert visible(text) == visible_lines(text) == text
    assert json_text(text) == json.dumps(text, ensure_ascii=False)


@pytest.mark.parametrize("text", HIDDEN)
def test_what_is_hidden_is_shown(text: str) -> None:
    """Control, direction, zero-width and tag characters, halves of letters and ends of lines are written out."""
    assert visible(text) == HIDDEN[text]


@given(TEXTS)
@example(ANSI)
def test_nothing_is_hidden_in_what_is_visible(text: str) -> None:
    """No character that does something is left, it can be written as UTF-8, and a second time changes nothing."""
    shown = visible(text)
    rest = AT_HOME.sub("", shown)
    assert not [letter for letter in rest if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert len(shown.splitlines()) <= 1
    shown.encode()
    assert visible(shown) == shown
    assert visible_lines(text).split("\n") == [visible(line) for line in text.split("\n")]


@given(TEXTS)
@example(ANSI)
def test_json_is_exact_and_hides_nothing(text: str) -> None:
    """A program reads the very text, and a terminal gets no character that does something."""
    written = json_text({"text": text, text: [text]})
    assert json.loads(written) == {"text": text, text: [text]}
    assert visible(written) == written


def words(tokens: list[Token]) -> str:
    """Put together what a reader of parsed Markdown reads; whatever is no text fails."""
    read = ""
    for token in tokens:
        if token.type == "inline":
            read += words(token.children or [])
        elif token.type in {"text", "text_special"}:
            read += token.content
        else:
            assert re.fullmatch(
                "(paragraph|bullet_list|list_item|heading|table|thead|tbody|tr|th|td)_(open|close)", token.type
            ), token
    return read


PARSER = MarkdownIt("gfm-like", {"linkify": False, "html": True})


@given(TEXTS)
@example(PICTURE)
@example("<img src=http://evil onerror=alert(1)>")
@example("    code")
@example("1. one")
@example("---")
@example("| a | b |")
@example("&lt;b&gt; &#32;")
def test_markdown_reads_as_the_text_alone(text: str) -> None:
    """In a paragraph, a list, a heading and a cell a parser finds one text and nothing else: what was shown."""
    for page in (f"{markdown(text)}", f"- {markdown(text)}", f"# {markdown(text)}", f"so: {markdown(text)}."):
        read = words(PARSER.parse(page))
        assert read.removeprefix("so: ").removesuffix("." if page.startswith("so: ") else "") == visible(text), page
    table = PARSER.parse(f"| head |\n| --- |\n| {markdown(text)} |\n| end |")
    assert words(table) == f"head{visible(text)}end"
    assert sum(token.type == "td_open" for token in table) == 2


@given(TEXTS)
def test_markdown_is_escaped_once(text: str) -> None:
    """What is Markdown already is not escaped again, so that parts of a page can be made one by one."""
    assert markdown(markdown(text)) == markdown(text)


@pytest.mark.parametrize("kind", [PedigreeError, ServiceUnavailableError, SettingsError])
@given(TEXTS)
def test_a_problem_is_one_line_whatever_is_named_in_it(kind: type[PedigreeError], text: str) -> None:
    """Wherever the sentence of a problem is written, the names in it do nothing."""
    assert str(kind(f"The file {text} is odd.")) == f"The file {visible(text)} is odd."

"""Settings files: what a word means, and what is said of a file that says something twice, or never ends."""

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import SettingsError
from configs.load import read_operations, read_settings
from configs.yaml_text import read_yaml

LEAST = "source: {url: photos}\nstore: {url: store}\n"
BOMB = "a: &a [x, x]\n" + "".join(
    f"b{n}: &b{n} [*{before}, *{before}]\n" for n, before in enumerate(["a", *(f"b{n}" for n in range(30))])
)


def test_words_are_read_as_they_stand_there(tmp_path: Path) -> None:
    """In a list of names, as a name and as its value, what YAML 1.1 takes for something else is the word itself."""
    text = "labels:\n  leave_out: [no, 007, 2026-01-01, true, 1.0, 1:30]\n"
    text += "  aliases: {no: yes, 007: 010, 2026-01-01: off}\n"
    settings = read_settings(_written(tmp_path, LEAST + text), ["tracking.model=007"])
    assert settings.labels.leave_out == ("no", "007", "2026-01-01", "true", "1.0", "1:30")
    assert settings.labels.aliases == {"no": "yes", "007": "010", "2026-01-01": "off"}
    assert settings.tracking.model == "007"


@pytest.mark.parametrize(("word", "number"), [("010", 10), ("0o17", 15), ("0x1F", 31), ("1_000", 1000), ("1e3", 1000)])
def test_numbers_follow_the_rules_of_yaml_1_2(tmp_path: Path, word: str, number: int) -> None:
    """A nought in front is no base eight; the bases that YAML 1.2 writes are read."""
    assert read_settings(_written(tmp_path, LEAST + f"training: {{seed: {word}}}")).training.seed == number


@pytest.mark.parametrize(("word", "meaning"), [("true", True), ("FALSE", False), ("yes", True), ("off", False)])
def test_a_switch_takes_true_and_yes(tmp_path: Path, word: str, meaning: bool) -> None:
    """Where a setting is a switch, true and false in any case are taken, and yes, no, on and off as before."""
    assert read_settings(_written(tmp_path, LEAST), [f"gate.serve_check={word}"]).gate.serve_check is meaning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {seed: 1}\ntraining: {epochs: 3}", "line 4: training stands here a second time, after line 3"),
        ("store: {url: other}", "line 3: store stands here a second time, after line 2"),
        ("training:\n  seed: 1\n  'seed': 2", "line 5: seed stands here a second time, after line 4"),
        ("labels: {aliases: {a: b, a: c}}", "line 3: a stands here a second time"),
        ("labels: {leave_out: [null]}", "line 3: null means no value: put it in quotes"),
        ("labels: {aliases: {~: x}}", "line 3: ~ means no value: put it in quotes"),
        ("labels:\n  leave_out:\n", "line 4: a value is missing"),
        ("training: {seed: 1:30}", "training.seed = 1:30 is not allowed"),
        ("training: {seed: yes}", "training.seed = 'yes' is not allowed"),
        ("gate: {serve_check: 2026-01-01}", "gate.serve_check = 2026-01-01 is not allowed"),
        ("labels: {leave_out: " + "[" * 3000, "line 3: it is nested more than 20 levels deep"),
        (BOMB, "stand for more than 100,000 values"),
        ("labels: &a {aliases: *a}", "stand for more than 100,000 values, or for themselves"),
        ("labels: {leave_out: *gone}", "line 3: found undefined alias 'gone'"),
        ("a\0b: 1", "line 3: it holds the character U+0000"),
        ("x" * 1_000_001, "longer than 1,000,000 characters"),
        ("tracking: {model: !!python/object:os.x 1}", "line 3: the tag !!python/object:os.x has no meaning here"),
        ("? [a, b]\n: 1", "line 3: a name is a list or a mapping"),
        ("labels: {<<: [1]}", "line 3: << merges mappings"),
        ("---\nb: 1", "but found another document"),
    ],
)
def test_what_is_unclear_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """What stands twice, means nothing or never ends is refused in one sentence; both readers of a file agree."""
    file = _written(tmp_path, LEAST + text)
    for read in (read_settings, read_operations):
        if read is read_operations and "is not allowed" in message:
            continue
        with pytest.raises(SettingsError) as caught:
            read(file)
        assert message in str(caught.value)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", ["[" * 3000, "{a: b, a: c}", "[&a [x], *b]", "[null]", "\0", "\udcff", ""])
def test_changes_follow_the_same_rules(tmp_path: Path, value: str) -> None:
    """What a file may not say, an argument may not either; the sentence names the argument, and not all of it."""
    with pytest.raises(SettingsError, match=r"--set labels\.leave_out") as caught:
        read_settings(_written(tmp_path, LEAST), [f"labels.leave_out={value}"])
    assert len(str(caught.value)) < 200


def test_merged_sections_are_read_as_ever(tmp_path: Path) -> None:
    """An anchor may be named again and merged; what stands beside it wins."""
    text = "source: &place {url: photos}\nstore: {<<: *place, url: kept}\n"
    assert read_settings(_written(tmp_path, text)).store.url.endswith("kept")


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
def test_what_a_program_writes_is_read_as_it_meant_it(plain: object) -> None:
    """Whatever a YAML writer makes of words, lists and mappings is read back as the same words, lists and mappings."""
    assert read_yaml(yaml.safe_dump(plain), "it") == plain


@given(st.text(st.sampled_from("[]{}&*!|>'\"#:-?,~<ab1 \n\t%@`\0"), max_size=60))
def test_any_text_is_read_or_refused_in_a_sentence(text: str) -> None:
    """No text stops the reader with anything but a sentence."""
    with suppress(SettingsError):
        read_yaml(text, "it")


def _written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path

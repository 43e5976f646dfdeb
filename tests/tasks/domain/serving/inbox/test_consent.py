"""Consent is said in so many words, or is not there."""

from collections.abc import Sequence

import pytest

from tasks.domain.serving.inbox.consent import Consent, parse_consent
from tasks.domain.serving.problems import ServiceProblemError


@pytest.mark.parametrize(
    ("words", "consent"),
    [
        ((), Consent.NONE),
        (("", ""), Consent.NONE),
        (("no",), Consent.NONE),
        (("yes", "no"), Consent.NONE),
        (("", "yes"), Consent.GIVEN),
        (("Yes ", "yes"), Consent.GIVEN),
    ],
)
def test_only_yes_and_nothing_but_yes_is_consent(words: Sequence[str], consent: Consent) -> None:
    """Silence is none, and neither is a yes beside a no."""
    assert parse_consent(words) is consent


@pytest.mark.parametrize("word", ["true", "1", "on", "ja", "yes, please"])
def test_other_words_are_refused_and_not_guessed(word: str) -> None:
    """Whoever writes another word hears that it means nothing."""
    with pytest.raises(ServiceProblemError):
        parse_consent([word])

"""What the ledger promises on a folder and on S3."""

from typing import Literal

from tasks.domain.registry.decisions import Decision
from tasks.stores.store import Store


def decision(number: int, champion: int | None) -> Decision:
    """Make an entry of the ledger."""
    outcome: Literal["promoted", "rejected"] = "promoted" if champion == number else "rejected"
    return Decision(
        number, "now", outcome, champion, None, "data", "recipe", "net", "head", "run", str(number), "why", []
    )


def test_the_ledger_takes_each_number_once(url: str) -> None:
    """A number that is taken is refused, and the champion is the one that the last entry names."""
    ledger = Store(url).ledger
    assert ledger.champion() is None
    assert ledger.append(decision(1, champion=1))
    assert ledger.append(decision(2, champion=1))
    assert not ledger.append(decision(2, champion=2))
    assert [entry.number for entry in ledger.entries()] == [1, 2]
    assert ledger.champion() == decision(1, champion=1)


def test_a_decision_is_applied_once_it_was_marked(url: str) -> None:
    """Only a decision that the registry has followed counts as applied."""
    ledger = Store(url).ledger
    ledger.append(decision(1, champion=1))
    assert ledger.pending(ledger.entries()) == [decision(1, champion=1)]
    ledger.mark_applied(1)
    ledger.mark_applied(1)
    assert ledger.pending(ledger.entries()) == []
    assert [entry.number for entry in ledger.entries()] == [1]


def test_whoever_was_overtaken_rules_anew_on_what_stands_there_now(url: str) -> None:
    """A writer whose number was taken is asked again, and sees the other's entry; None writes nothing."""
    ledger, overtaking = Store(url).ledger, []

    def ruling(entries: list[Decision]) -> Decision:
        overtaking.append(len(entries))
        if len(overtaking) == 1:
            assert ledger.append(decision(1, champion=1))
        return decision(len(entries) + 1, champion=1)

    assert ledger.decide(ruling) == decision(2, champion=1)
    assert (overtaking, len(ledger.entries())) == ([0, 1], 2)
    assert ledger.decide(lambda _: None) is None
    assert len(ledger.entries()) == 2


def test_decisions_are_pending_until_they_are_marked(url: str) -> None:
    """Also an older one is pending while a later one is not."""
    ledger = Store(url).ledger
    entries = [decision(number, champion=1) for number in (1, 2, 3)]
    for entry in entries:
        ledger.append(entry)
    ledger.mark_applied(2)
    assert ledger.pending(ledger.entries()) == [entries[0], entries[2]]

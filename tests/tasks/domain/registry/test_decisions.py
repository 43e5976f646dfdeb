"""What the ledger's entries say together: who serves, who did before, what is held, and whom each alias names."""

from dataclasses import replace

import pytest

from tasks.domain.registry.decisions import (
    Decision,
    DecisionOutcome,
    describe_candidates,
    find_champion,
    find_decisions,
    find_hold,
    find_previous,
    resolve_aliases,
)


def ledger_of(*entries: tuple[DecisionOutcome, str, int | None]) -> list[Decision]:
    """Make a ledger of outcomes, model versions and the champions from then on; a version has its own data."""
    ledger: list[Decision] = []
    for number, (outcome, version, serves) in enumerate(entries, 1):
        against = ledger[-1].champion if ledger else None
        person = "" if outcome in {"promoted", "rejected", "needs-approval"} else "ann"
        ledger.append(
            Decision(
                number=number,
                time="2026-11-01",
                outcome=outcome,
                champion=serves,
                against=against,
                dataset=f"data {version}",
                recipe="recipe",
                backbone="net",
                head=f"head {version}",
                run_id=f"run {version}",
                model_version=version,
                reason="reason",
                rules=[],
                person=person,
                why="why",
            )
        )
    return ledger


LIVES: list[tuple[list[tuple[DecisionOutcome, str, int | None]], tuple[str | None, str | None, str | None]]] = [
    ([], (None, None, None)),
    ([("rejected", "1", None)], (None, "1", None)),
    ([("promoted", "1", 1)], ("1", None, None)),
    ([("promoted", "1", 1), ("promoted", "2", 2)], ("2", None, "1")),
    ([("promoted", "1", 1), ("needs-approval", "2", 1)], ("1", "2", None)),
    ([("promoted", "1", 1), ("rejected", "2", 1), ("lifted", "1", 1)], ("1", "2", None)),
    ([("promoted", "1", 1), ("promoted", "2", 2), ("rolled-back", "2", 1)], ("1", None, None)),
    ([("promoted", "1", 1), ("promoted", "2", 2), ("promoted", "3", 3), ("rolled-back", "3", 2)], ("2", None, "1")),
    ([("promoted", "1", 1), ("promoted", "2", 2), ("rejected", "3", 2), ("promoted", "4", 4)], ("4", None, "2")),
    ([("promoted", "1", 1), ("promoted", "2", 2), ("promoted", "2", 3)], ("2", None, "1")),
]


@pytest.mark.parametrize(("life", "named"), LIVES)
def test_aliases_follow_from_the_entries_alone(
    life: list[tuple[DecisionOutcome, str, int | None]], named: tuple[str | None, str | None, str | None]
) -> None:
    """They name who serves, who was judged last and does not, and whom the champion replaced."""
    assert (
        tuple(decision.model_version if decision else None for decision in resolve_aliases(ledger_of(*life)).values())
        == named
    )


def test_rolling_back_twice_goes_back_twice() -> None:
    """After a roll-back the previous model is the one before, and not the one that was just taken back."""
    ledger = ledger_of(("promoted", "1", 1), ("promoted", "2", 2), ("promoted", "3", 3), ("rolled-back", "3", 2))
    serving, former = find_champion(ledger), find_previous(ledger)
    assert serving
    assert former
    assert (serving.model_version, former.model_version) == ("2", "1")


@pytest.mark.parametrize("outcome", ["rolled-back", "held"])
def test_a_hold_is_on_the_weights_and_on_the_data_until_it_is_lifted(outcome: DecisionOutcome) -> None:
    """Neither the same head on other data nor another head on the same data gets past a hold; what is else does."""
    ledger = ledger_of(("promoted", "1", 1), ("promoted", "2", 2), (outcome, "2", 1))
    for head, data in (("head 2", "other"), ("other", "data 2")):
        held = find_hold(ledger, head, data)
        assert held
        assert held.number == 3
    assert find_hold(ledger, "head 1", "data 1") is None
    lifted = [*ledger, replace(ledger[-1], number=4, outcome="lifted")]
    assert find_hold(lifted, "head 2", "data 2") is None


def test_lifting_one_hold_leaves_the_others() -> None:
    """Two versions that are held are lifted one by one."""
    ledger = ledger_of(
        ("promoted", "1", 1), ("held", "1", 1), ("rejected", "2", 1), ("held", "2", 1), ("lifted", "1", 1)
    )
    assert find_hold(ledger, "head 1") is None
    assert find_hold(ledger, "head 2")


def test_a_person_s_promotion_is_not_the_gate_s() -> None:
    """What a person promotes carries the gate's outcome, but it is no judgement that a run could build on."""
    (gate,) = ledger_of(("promoted", "1", 1))
    assert gate.decided_by_gate
    assert not replace(gate, person="ann").decided_by_gate


def test_digits_name_a_model_by_its_head_or_its_run() -> None:
    """Seven digits of either are enough; what fits several models is answered with words that tell them apart."""
    first, second = ledger_of(("promoted", "1", 1), ("rejected", "2", 1))
    heads = ("abcdef0123456789" * 4, "abcdef0123456780" * 4)
    entries = [replace(first, head=heads[0], run_id="1" * 32), replace(second, head=heads[1], run_id="2" * 32)]
    assert find_decisions(entries, heads[0]) == find_decisions(entries, "1111111") == entries[:1]
    assert find_decisions(entries, "ABCDEF0") == entries
    assert find_decisions(entries, "abcdef") == []
    assert describe_candidates(entries).startswith("abcdef0123456789 (promoted on 2026-11-01) or abcdef0123456780 (")

"""What the reports of many items come to."""

from tasks.engine.engine import Report
from tasks.engine.tally import StageClock, Tally


def test_an_item_that_is_done_again_counts_once() -> None:
    """A worker that takes over begins at nought, and the bar neither goes back nor counts its images twice."""
    shown: list[int] = []
    tally = Tally(lambda more, _seconds=None, /: shown.append(more))
    for item, done in ((0, 3), (1, 2), (0, 1), (0, 4), (1, 2)):
        tally(Report(item, done))
    assert sum(shown) == 6
    assert min(shown) >= 0


def test_seconds_are_passed_on_once() -> None:
    """Each report has the seconds of its item so far, and only what is new of them is added."""
    added: list[float] = []
    tally = Tally(lambda _more, seconds=None, /: added.append(sum((seconds or {}).values())))
    tally(Report(0, 1, {"network": 1.0}))
    tally(Report(0, 2, {"network": 1.5, "bucket": 0.25}))
    assert added == [1.0, 0.75]


def test_a_clock_reports_the_stages_of_its_item() -> None:
    """Whatever was done within a stage is in the next report."""
    reports: list[tuple[int, set[str]]] = []
    clock = StageClock(lambda done, seconds: reports.append((done, set(seconds))))
    with clock.stage("bucket"):
        clock.advance()
    with clock.stage("network"):
        pass
    clock.advance(2)
    assert reports == [(1, set()), (3, {"bucket", "network"})]

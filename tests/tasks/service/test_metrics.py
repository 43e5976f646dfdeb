"""Labels of metrics stay few, however often models change and whatever clients send."""

from dataclasses import replace

from tasks.domain.serving.answers import Answer, ModelIdentity
from tasks.service.metrics import Metrics

MODEL = ModelIdentity("dogs", "1", 1, "c" * 64, "b" * 64, "d" * 64, "")


def test_versions_of_long_ago_are_forgotten() -> None:
    """Of a hundred versions that served one after the other the last two keep their counts."""
    metrics = Metrics()
    serving = MODEL
    metrics.follow(lambda: (serving, 1.5))
    for number in range(1, 101):
        serving = replace(MODEL, version=str(number))
        metrics.count_answer(Answer(str(number), serving, "beagle", 0.9, True, {}, 1), "")  # noqa: FBT003 - sure
        metrics.count_feedback(str(number), "beagle", "wrong")
        text = metrics.render().decode()
    judged = [line for line in text.splitlines() if line.startswith("pedigree_feedback_total{")]
    assert len(judged) == 2
    counted = [line for line in text.splitlines() if line.startswith("pedigree_answers_total{")]
    assert sorted(line.partition('version="')[2].partition('"')[0] for line in counted) == ["100", "99"]
    assert [line for line in text.splitlines() if line.startswith("pedigree_model{")] == [
        'pedigree_model{dataset="dddddddddddd",decision="1",head="cccccccccccc",name="dogs",version="100"} 1.0'
    ]
    assert "pedigree_following_age_seconds 1.5" in text

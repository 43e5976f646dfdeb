"""What a run that needs approval shows to whoever decides."""

from dataclasses import replace

from prefect import flow
from prefect.artifacts import Artifact

from configs.schema import Settings, Store, Tracking
from configs.sections import Source
from tasks.domain.runs.results import ImageCounts, Outcome
from tasks.promotion.gate import request_approval
from tests.servers import PrefectServer

RULE = {"rule": "recall of pug at least 0.9 else ask", "outcome": "ask", "said": "recall of pug 0.70 on 30 images"}
OUTCOME = Outcome(
    status="needs-approval",
    reason="recall of pug 0.70 on 30 images; a person decides",
    dataset="d" * 64,
    parent=None,
    images=ImageCounts(30, 30, 0, 30),
    model_version="4",
    run_id="a-run",
    metrics={},
    gate=(RULE,),
    seconds={},
    classes={},
)
SETTINGS = Settings(source=Source(url="photos"), store=Store(url="store"), tracking=Tracking(url="sqlite:///mlflow.db"))


@flow
def request(outcome: Outcome) -> Outcome:
    """Ask in a run of its own."""
    return request_approval(outcome, SETTINGS)


def test_the_question_names_rule_evidence_and_what_to_do(prefect_server: PrefectServer) -> None:
    """Without a form the artifact names the command; a run that was promoted asks nothing."""
    assert prefect_server.api_url
    promoted, before = replace(OUTCOME, status="promoted"), _shown()
    assert request(promoted) == promoted
    assert _shown() == before, "what another test asked, or nothing"
    assert request(OUTCOME) == OUTCOME
    for words in (RULE["said"], "`pedigree model promote 4 -c FILE --why TEXT`", "MLflow run `a-run`"):
        assert words in _shown()


def _shown() -> str:
    """Return the latest question; nothing where none was asked."""
    return str(getattr(Artifact.get("approval"), "data", ""))

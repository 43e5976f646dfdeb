"""The end of a night's line, from rehearse to promote, and once more from evaluate where another run was faster."""

from dataclasses import replace

from configs.errors import Problem
from configs.schema import Settings
from tasks.domain.registry.decisions import AlreadyDecided, Promotion
from tasks.domain.runs.results import Challenger, Data, Trained
from tasks.domain.training.results import Embedded
from tasks.evaluation.evaluate import evaluate
from tasks.evaluation.smoke_test import rehearse
from tasks.evaluation.write_report import explain
from tasks.features.embed import embed
from tasks.promotion.apply_gate import judge
from tasks.promotion.promote import promote
from tasks.serving.probe_process import Stranger

_ROUNDS = 10


def decide(
    data: Data, embedded: Embedded, trained: Trained, settings: Settings, stranger: Stranger | None
) -> tuple[Challenger, Promotion] | AlreadyDecided:
    """Hold the challenger against the champion until the ledger takes a decision about the one that serves.

    There is nothing to decide where another run has decided about the same data and recipe meanwhile.

    A champion that came meanwhile, or came back, may have another backbone: the test images get its features too.
    """
    # A stranger takes five seconds to load a model and to answer, on another core: meanwhile both are measured here.
    rehearsed = rehearse.submit(data.dataset, trained, settings, stranger)
    for _ in range(_ROUNDS):
        evaluation = evaluate(data.dataset, embedded, trained, settings)
        verdict = judge(data, trained, evaluation, rehearsed.result(), settings)
        challenger = Challenger(embedded, trained, evaluation, verdict)
        explained = explain(data, challenger, settings)
        promotion = promote(data.dataset, challenger, settings)
        if isinstance(promotion, Promotion):
            return replace(challenger, collect=explained.collect), promotion
        if isinstance(promotion, AlreadyDecided):
            return promotion
        embedded = embed(data.dataset, settings)
    raise Problem(f"Another champion came {_ROUNDS} times while this night judged: run it again when others rest.")

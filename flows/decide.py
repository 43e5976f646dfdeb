"""The end of a night's line, from rehearse to promote, and once more from evaluate where another run was faster."""

from dataclasses import replace

from configs.errors import PedigreeError
from configs.schema import Settings
from tasks.domain.registry.decisions import AlreadyDecided, Promotion
from tasks.domain.runs.results import Challenger, Data, Trained
from tasks.domain.training.results import DatasetFeatures
from tasks.evaluation.evaluate import evaluate
from tasks.evaluation.smoke_test import smoke_test
from tasks.evaluation.write_report import write_report
from tasks.features.embed import embed
from tasks.promotion.gate import apply_gate
from tasks.promotion.promote import promote
from tasks.serving.probe_process import ServingProbe

_ROUNDS = 10


def decide(
    data: Data, embedded: DatasetFeatures, trained: Trained, settings: Settings, probe: ServingProbe | None
) -> tuple[Challenger, Promotion] | AlreadyDecided:
    """Hold the challenger against the champion until the ledger takes a decision about the one that serves.

    There is nothing to decide where another run has decided about the same data and recipe meanwhile.

    A champion that came meanwhile, or came back, may have another backbone: the test images get its features too.
    """
    # A stranger takes five seconds to load a model and to answer, on another core: meanwhile both are measured here.
    serving_check = smoke_test.submit(data.dataset, trained, settings, probe)
    for _ in range(_ROUNDS):
        evaluation = evaluate(data.dataset, embedded, trained, settings)
        verdict = apply_gate(data, trained, evaluation, serving_check.result(), settings)
        challenger = Challenger(embedded, trained, evaluation, verdict)
        report = write_report(data, challenger, settings)
        promotion = promote(data.dataset, challenger, settings)
        if isinstance(promotion, Promotion):
            return replace(challenger, collect=report.collect), promotion
        if isinstance(promotion, AlreadyDecided):
            return promotion
        embedded = embed(data.dataset, settings)
    raise PedigreeError(
        f"Another champion came {_ROUNDS} times while this night judged: run it again when others rest."
    )

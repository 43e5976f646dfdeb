"""The end of a night's line, from rehearse to promote, and once more from evaluate where another run was faster."""

from dataclasses import replace

from configs.problems import Problem
from configs.schema import Settings
from tasks.domain.night import Challenger, Data, Embedded, Promotion, Trained
from tasks.embed import embed
from tasks.evaluate import evaluate
from tasks.explain import explain
from tasks.judge import judge
from tasks.promote import promote
from tasks.rehearse import rehearse

_ROUNDS = 10


def decide(data: Data, embedded: Embedded, trained: Trained, settings: Settings) -> tuple[Challenger, Promotion]:
    """Hold the challenger against the champion until the ledger takes a decision about the one that serves.

    A champion that came meanwhile, or came back, may have another backbone: the test images get its features too.
    """
    # A stranger takes ten seconds to load a model, on another core: meanwhile both models are measured here.
    rehearsed = rehearse.submit(data.dataset, trained, settings)
    for _ in range(_ROUNDS):
        evaluation = evaluate(data.dataset, embedded, trained, settings)
        verdict = judge(data, trained, evaluation, rehearsed.result(), settings)
        challenger = Challenger(embedded, trained, evaluation, verdict)
        explained = explain(data, challenger, settings)
        promotion = promote(data.dataset, challenger, settings)
        if isinstance(promotion, Promotion):
            return replace(challenger, collect=explained.collect), promotion
        embedded = embed(data.dataset, settings)
    raise Problem(f"Another champion came {_ROUNDS} times while this night judged: run it again when others rest.")

"""Reproducing, step 4: the verdict, and the first cause where the model is another one."""

from configs.environment import code_version
from tasks.domain.registry.reproduction import (
    LoadedRecord,
    RefittedHead,
    Reproduction,
    VerifiedImages,
    decide_verdict,
    differences,
)
from tasks.reports.prefect_ui.artifacts import show_reproduction
from tasks.step import step


@step(hours=48)
def compare(original: LoadedRecord, verified: VerifiedImages, refitted: RefittedHead | None = None) -> Reproduction:
    """Say whether the model is identical, equal within the tolerance, or different, and why."""
    from tasks.modeling.environment import machine

    record = original.record
    changed = differences({**record.code, **record.machine}, {**code_version(), **machine()})
    verdict, reason = decide_verdict(record.head, refitted, changed) if refitted else ("different", verified.lost)
    reproduction = Reproduction(
        verdict, reason, original.model_version, record.dataset, verified.images, record.head, refitted, changed
    )
    show_reproduction(reproduction)
    return reproduction

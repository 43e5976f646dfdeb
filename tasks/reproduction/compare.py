"""Reproducing, step 4: the verdict, and the first cause where the model is another one."""

from configs.load import code_version
from tasks.domain.registry.reproduction import Proved, Recalled, Refitted, Reproduction, differences, verdict_on
from tasks.reports.prefect_ui.artifacts import show_reproduction
from tasks.step import step


@step(hours=48)
def confirm(recalled: Recalled, proved: Proved, refitted: Refitted | None = None) -> Reproduction:
    """Say whether the model is identical, equal within the tolerance, or different, and why."""
    from tasks.modeling.environment import machine

    record = recalled.record
    changed = differences({**record.code, **record.machine}, {**code_version(), **machine()})
    verdict, reason = verdict_on(record.head, refitted, changed) if refitted else ("different", proved.lost)
    found = Reproduction(
        verdict, reason, recalled.model_version, record.dataset, proved.images, record.head, refitted, changed
    )
    show_reproduction(found)
    return found

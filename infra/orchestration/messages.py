"""What people are told: one short message an event, as templates that Prefect's server fills in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError, SettingsError
from configs.servers import NotifiedOutcome

# Prefect's words before those of a Problem, which says all there is to say.
_PREFIXES = (
    "Flow run encountered an exception: ",
    *(
        f"{kind.__name__}: " for kind in (SettingsError, InaccessibleError, ServiceUnavailableError, PedigreeError)
    ),  # The longer name before its own end.
)
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Message:
    """An automation's name, and the subject and body of what it sends; both are Jinja templates."""

    automation: str
    subject: str
    body: str


def build_silence_message(hours: float, prefect: str, mlflow: str) -> Message:
    """Say that no night has ended well for too long; where to look: the runs in Prefect, the models in MLflow."""
    lines = [
        f"No night has ended well for {hours:g} hours: none began, or none came to its end.",
        f"Runs: {prefect}/runs",
        *([f"MLflow: {mlflow}"] if mlflow.startswith("http") else []),
    ]
    return Message(
        "Pedigree: no successful night", f"Pedigree: no successful night for {hours:g} hours", "\n".join(lines)
    )


def build_webhook_payload(message: Message) -> str:
    """Make a webhook's body: JSON whose ``text`` Slack, Mattermost and others show as it is.

    Class names may stand in it, so that nothing in it becomes Slack's link or call, or a Markdown link or picture.
    """
    return (
        f"{{% set subject %}}{message.subject}{{% endset %}}{{% set body %}}{message.body}{{% endset %}}"
        '{"subject": {{ subject | string | tojson }}, "text": {{ (subject ~ "\\n" ~ body) | string'
        """ | replace("&", "&amp;") | replace("<", "&lt;") | replace(">", "&gt;") | replace("](", "] (") | tojson }}}"""
    )


def _ended(automation: str, subject: str) -> Callable[[str], Message]:
    """Say why in the night's own words, and where to click: its page, and the evaluation report where there is one."""
    why = "event.resource['prefect.state-message']"
    for prefix in _PREFIXES:
        why += f" | replace({prefix!r}, '', 1)"

    def message(prefect: str) -> Message:
        body = (
            f"{{{{ {why} | truncate({_LONGEST}) }}}}\n"
            f"Run: {prefect}/runs/flow-run/{{{{ flow_run.id }}}}"
            "{% if flow_run.labels['pedigree.report'] %}\nReport: {{ flow_run.labels['pedigree.report'] }}{% endif %}"
        )
        return Message(f"Pedigree: {automation}", f"Pedigree: {subject}", body)

    return message


MESSAGES: Mapping[NotifiedOutcome, Callable[[str], Message]] = {
    "promoted": _ended("promoted", "a new model serves"),
    "rejected": _ended("rejected", "the new model was rejected"),
    "needs-approval": _ended("needs approval", "a new model waits for your approval"),
    "failed": _ended("failed", "a night failed"),
}

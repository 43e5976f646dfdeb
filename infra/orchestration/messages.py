"""Messages to people: one short message for each kind of event, as templates that Prefect's server fills in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError, SettingsError
from configs.servers import NotifiedOutcome

# What Prefect puts before the sentence of a PedigreeError, which says everything by itself.
_PREFIXES = (
    "Flow run encountered an exception: ",
    *(
        f"{kind.__name__}: " for kind in (SettingsError, InaccessibleError, ServiceUnavailableError, PedigreeError)
    ),  # Longer names before those that they end with.
)
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Message:
    """An automation's name, and the subject and body of what it sends; both are Jinja templates."""

    automation: str
    subject: str
    body: str


def build_silence_message(hours: float, prefect: str, mlflow: str) -> Message:
    """Build the message that no run has ended well for too long, with links to runs and models.

    The automation keeps the name by which servers know it, since one that was switched off is found again by its name.

    Args:
        hours: The time without a good run.
        prefect: The address of Prefect's pages.
        mlflow: The address of MLflow's pages; empty where there are none.

    Returns:
        The message.
    """
    lines = [
        f"No run has ended well for {hours:g} hours: none started, or none finished.",
        f"Runs: {prefect}/runs",
        *([f"MLflow: {mlflow}"] if mlflow.startswith("http") else []),
    ]
    return Message(
        "Pedigree: no successful night", f"Pedigree: no successful run for {hours:g} hours", "\n".join(lines)
    )


def build_webhook_payload(message: Message) -> str:
    """Build the body of a webhook's request: JSON whose ``text`` Slack, Mattermost and others show.

    Class names may be part of it, so it is escaped: nothing becomes a link or a mention in Slack, nor a Markdown link.

    Args:
        message: The message.

    Returns:
        A Jinja template.
    """
    return (
        f"{{% set subject %}}{message.subject}{{% endset %}}{{% set body %}}{message.body}{{% endset %}}"
        '{"subject": {{ subject | string | tojson }}, "text": {{ (subject ~ "\\n" ~ body) | string'
        """ | replace("&", "&amp;") | replace("<", "&lt;") | replace(">", "&gt;") | replace("](", "] (") | tojson }}}"""
    )


def _ended(automation: str, subject: str) -> Callable[[str], Message]:
    """Build messages about one kind of end: the run's own reason, its page, and its evaluation report if it has one.

    Returns:
        A function that builds the message for a Prefect server, from the address of its pages.
    """
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


def _happened(automation: str, subject: str, words: str) -> Callable[[str], Message]:
    """Build messages about what happened to the service: the event's own words, and where events are seen.

    Returns:
        A function that builds the message for a Prefect server, from the address of its pages.
    """
    return lambda prefect: Message(
        f"Pedigree: {automation}",
        f"Pedigree: {subject}",
        f"{{{{ event.payload['{words}'] | truncate({_LONGEST}) }}}}\n"
        "Model: {{ event.resource['prefect.resource.name'] }} {{ event.payload['version'] }}\n"
        f"Events: {prefect}/events",
    )


MESSAGES: Mapping[NotifiedOutcome, Callable[[str], Message]] = {
    "promoted": _ended("promoted", "a new model serves"),
    "rejected": _ended("rejected", "the new model was rejected"),
    "needs-approval": _ended("needs approval", "a new model waits for your approval"),
    "failed": _ended("failed", "a run failed"),
    "drifted": _happened("drifted", "live photographs have changed", "text"),
    "swap-refused": _happened("swap refused", "a new model does not serve", "reason"),
}

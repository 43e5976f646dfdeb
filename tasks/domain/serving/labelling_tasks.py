"""Labelling tasks: pictures of the inbox as Label Studio imports them, with the model's guess as a prediction."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from tasks.domain.labels.inbox_labels import FROM_INBOX, KEPT_FOR
from tasks.domain.serving.inbox_record import InboxRecord

# The names of the control and of the picture in Label Studio's own template for image classification.
_CONTROL, _OBJECT = "choice", "image"
_RANDOM = "random"


def kept_for(record: InboxRecord) -> str:
    """Return the reason for which a picture was kept: chance where it was drawn, else the most telling one."""
    return _RANDOM if _RANDOM in record.reasons else next(iter(record.reasons), "")


def make_labelling_task(record: InboxRecord, reference: str) -> Mapping[str, Any]:
    """Make the task that Label Studio imports, with the model's guess as a prediction.

    What a label manifest takes for attributes stands among the task's data; all else is kept apart as its meta data.

    Args:
        record: The picture.
        reference: Its address, by which Label Studio shows it.

    Returns:
        The task, as JSON can hold it.
    """
    guess = {"from_name": _CONTROL, "to_name": _OBJECT, "type": "choices", "value": {"choices": [record.guess]}}
    attribute, value = FROM_INBOX
    return {
        "data": {_OBJECT: reference, attribute: value, KEPT_FOR: kept_for(record)},
        "meta": {
            "answer": record.answer,
            "reasons": list(record.reasons),
            "unusual": record.unusual,
            "said": {"wrong": record.wrong, "claimed": record.claimed},
        },
        "predictions": [{"model_version": record.model, "score": record.probability, "result": [guess]}],
    }


def make_labelling_config(classes: Iterable[str]) -> str:
    """Make the configuration of a Label Studio project in which people choose one of these classes.

    Label Studio refuses predictions whose names or classes its configuration does not hold.

    Args:
        classes: The classes.

    Returns:
        The configuration, in XML.
    """
    choices = "".join(f"    <Choice value={quoteattr(label)}/>\n" for label in sorted(set(classes)))
    return (
        f'<View>\n  <Image name="{_OBJECT}" value="${_OBJECT}"/>\n'
        f'  <Choices name="{_CONTROL}" toName="{_OBJECT}" choice="single" showInline="true">\n{choices}'
        "  </Choices>\n</View>\n"
    )


def local_reference(path: str) -> str:
    """Return the address under which Label Studio serves a local file, by its path below the document root."""
    return f"/data/local-files/?d={quote(path)}"

"""The way to Label Studio and back: what is exported is what the reader of label manifests understands."""

import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

from tasks.domain.labels.inbox_labels import FROM_INBOX
from tasks.domain.labels.manifest_formats.reading import read_manifest
from tasks.domain.serving.labelling_tasks import (
    kept_for,
    local_reference,
    make_labelling_config,
    make_labelling_task,
)
from tests.tasks.stores.test_inbox import make_record

RECORD = make_record()


def annotate(task: Any, *choices: str) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a task as Label Studio exports it once each of these classes was chosen by somebody."""
    result = task["predictions"][0]["result"][0]
    annotations = [
        {"id": number, "was_cancelled": not choice, "result": [{**result, "value": {"choices": [choice]}}]}
        for number, choice in enumerate(choices)
    ]
    return {**task, "id": 1, "annotations": annotations}


def test_what_people_chose_comes_back_with_its_attributes() -> None:
    """A picture returns under its address with the chosen class, from=inbox and why it was kept, and nothing else."""
    task = make_labelling_task(RECORD, "s3://dogs/1.jpg")
    (statement,) = read_manifest(json.dumps([annotate(task, "boxer")]).encode(), "export.json").statements
    assert (statement.reference, statement.label) == ("s3://dogs/1.jpg", "boxer")
    assert statement.attributes == (FROM_INBOX, ("kept_for", "unsure"))


def test_a_guess_is_no_label() -> None:
    """Neither the model's guess nor what a stranger said labels a picture that nobody labelled."""
    task = make_labelling_task(replace(RECORD, wrong=True, claimed="boxer"), "s3://dogs/1.jpg")
    for untouched in (annotate(task), annotate(task, "")):
        (statement,) = read_manifest(json.dumps([untouched]).encode(), "export.json").statements
        assert statement.label == ""
    assert task["meta"]["said"] == {"wrong": True, "claimed": "boxer"}


def test_a_prediction_fits_the_configuration_of_the_project() -> None:
    """Control, object, type and class of a prediction are in the configuration, or Label Studio refuses it."""
    classes = ['pug "toy" & <co>', *RECORD.probabilities]
    config = ET.fromstring(make_labelling_config(classes))  # noqa: S314 - our own text
    (control,), (picture,) = config.findall("Choices"), config.findall("Image")
    (prediction,) = make_labelling_task(RECORD, "s3://dogs/1.jpg")["predictions"]
    (result,) = prediction["result"]
    assert (result["from_name"], result["to_name"], result["type"]) == (
        control.get("name"),
        picture.get("name"),
        "choices",
    )
    assert control.get("toName") == picture.get("name")
    assert [choice.get("value") for choice in control] == sorted(classes)
    assert result["value"]["choices"] == ["pug"]
    assert picture.get("value") == f"${next(iter(make_labelling_task(RECORD, '')['data']))}"
    assert (prediction["score"], prediction["model_version"]) == (0.6, "4@c473")


def test_chance_is_told_apart_from_every_other_reason() -> None:
    """A picture that was drawn says so, whatever else was a reason: only such are a fair sample."""
    assert kept_for(replace(RECORD, reasons=("unusual", "random"))) == "random"
    assert kept_for(replace(RECORD, reasons=("unusual", "unsure"))) == "unusual"
    assert kept_for(replace(RECORD, reasons=())) == ""


def test_a_local_address_holds_no_odd_letter() -> None:
    """The path of a local file is escaped as an address needs it."""
    assert local_reference("my dogs/&/1.jpg") == "/data/local-files/?d=my%20dogs/%26/1.jpg"

"""The run forms: what Prefect makes of the flows' parameters, and what becomes of what a person fills in."""

from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.importtools import import_object
from prefect.utilities.schema_tools import ValidationError, validate

from configs.errors import SettingsError
from configs.load import fill_form, list_leaves, parse_settings
from configs.schema import Settings
from flows.decorators import flat_parameters
from infra.orchestration.deployments import read_prefect_yaml
from infra.orchestration.forms import fill_parameters, shorten_schema

LEAST = {"source_url": "photos", "store_url": "store"}
DEPLOYMENTS = {deployment["name"]: deployment["entrypoint"] for deployment in read_prefect_yaml()["deployments"]}


def form_schema(name: str) -> dict[str, Any]:
    """Return the schema of a deployment's form."""
    return parameter_schema(import_object(DEPLOYMENTS[name])).model_dump()


@flat_parameters("watch")
def echo(settings: Settings, loud: bool = False) -> tuple[Settings, bool]:  # noqa: FBT002
    """Say which settings arrived."""
    return settings, loud


def test_the_form_is_the_manual_of_the_settings() -> None:
    """Every setting is one flat field under its own name, with type, limits, choices, meaning and default."""
    fields = form_schema("watch")["properties"]
    for leaf in list_leaves(Settings):
        field = fields[leaf.name]
        assert (field["title"], field["description"]) == (".".join(leaf.path), leaf.info.description)
        assert field["type"] in {"string", "integer", "number", "boolean", "array", "object"}
        assert ("default" in field) == (not leaf.info.is_required())
    assert fields["training_method"]["enum"] == ["head", "fine-tune"]
    assert (fields["fine_tuning_epochs"]["minimum"], fields["fine_tuning_epochs"]["default"]) == (1, 10)
    assert fields["fine_tuning_learning_rate"]["exclusiveMinimum"] == 0


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_every_form_is_filled_in_with_what_it_asks_for(name: str) -> None:
    """What is deployed fits the form: each field exists, has a description, and starts with an allowed value."""
    settings = parse_settings({"source": {"url": "photos"}, "store": {"url": "store"}}, "test")
    schema, given = form_schema(name), fill_parameters(name, settings)
    assert given.keys() <= schema["properties"].keys()
    assert all(item["description"] for item in schema["properties"].values())
    assert set(schema["required"]) - given.keys() <= {"version", "why", "by", "model"}
    for field, value in given.items():
        validate({field: value}, {**schema, "required": []}, raise_on_error=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fine_tuning_epochs", 0),
        ("fine_tuning_epochs", "many"),
        ("training_method", "magic"),
        ("labels_layout", "A b"),
        ("labels_sources", []),
        ("backbone_cut", "mixed11"),
    ],
)
def test_the_server_refuses_nonsense(field: str, value: object) -> None:
    """What Prefect holds a run's values against refuses what no setting can be, before there is a run."""
    with pytest.raises(ValidationError):
        validate({**LEAST, field: value}, form_schema("retrain"), raise_on_error=True)


def test_a_short_form_still_takes_and_checks_every_setting() -> None:
    """What the form does not show can be given by its name as before, and the server refuses nonsense there too."""
    short = shorten_schema(form_schema("retrain"), ("force", "source_url", "store_url", "changes"))
    assert list(short["properties"]) == ["force", "source_url", "store_url", "changes"]
    validate({**LEAST, "fine_tuning_epochs": 3}, short, raise_on_error=True)
    with pytest.raises(ValidationError):
        validate({**LEAST, "fine_tuning_epochs": 0}, short, raise_on_error=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"store_url": "store"}, "the setting source is missing"),
        ({**LEAST, "fine_tuning_epochs": 0}, "fine_tuning.epochs = 0 is not allowed"),
        ({**LEAST, "gate_rules": ["acuracy at least 0.5"]}, "the nearest is accuracy"),
        ({"source_url": "photos", "store_url": 5}, "store.url = 5 is not allowed"),
        ({**LEAST, "changes": ["fine_tuning.epochs=0"]}, "fine_tuning.epochs = 0 is not allowed"),
        ({**LEAST, "changes": ["epochs"]}, "epochs: write it as section.setting=value"),
    ],
)
def test_a_nonsense_value_is_refused_in_words(given: dict[str, Any], message: str) -> None:
    """What only the settings as a whole can tell stops the run before its first step, in one sentence."""
    with pytest.raises(SettingsError, match="The form: ") as caught:
        echo(**given)
    assert message in str(caught.value)


def test_the_fields_come_back_as_the_settings_they_were_made_from() -> None:
    """Lists, maps and numbers survive the form; a section that it leaves out has its defaults."""
    values: dict[str, Any] = {
        "source": {"url": "photos"},
        "store": {"url": "store"},
        "labels": {"aliases": {"toy poodle": "poodle"}, "leave_out": ["cat"]},
        "gate": {"rules": ["accuracy at least 0.25"]},
        "training": {"seed": 7, "l2": 0.5},
    }
    settings = parse_settings({**values, "watch": {"new_images": 3}}, "test")
    assert echo(**fill_form(settings, "watch"), loud=True) == (parse_settings(values, "test"), True)
    changed = echo(**fill_form(settings, "watch"), changes=["training.seed=8", "labels.leave_out=[fox]"])[0]
    assert (changed.training.seed, changed.training.l2, changed.labels.leave_out) == (8, 0.5, ("fox",))

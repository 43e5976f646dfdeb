"""The JSON schema of a settings file, by which editors complete names, show meanings and mark mistakes."""

import json
from pathlib import Path
from typing import Any

from configs.schema import Settings
from configs.servers import Operations

#: The schema as editors read it; ``python -m configs.json_schema`` writes it anew.
SCHEMA_FILE = Path(__file__).with_name("settings.schema.json")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def settings_schema() -> dict[str, Any]:
    """Return the schema of a settings file: the sections of a retraining and those of the servers."""
    run, servers = Settings.model_json_schema(), Operations.model_json_schema()
    sections = {**run["properties"], **servers["properties"]}
    definitions = {**run["$defs"], **servers["$defs"]}
    # A settings file may leave out the store's address, which a form may not.
    definitions["Store"].pop("required")
    return {
        "$schema": _DIALECT,
        "title": "Settings of Pedigree",
        "type": "object",
        "additionalProperties": False,
        "required": [name for name in run["required"] if name != "store"],
        "properties": {name: _described(section, definitions) for name, section in sections.items()},
        "$defs": dict(sorted(definitions.items())),
    }


def _described(section: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a section without its default, which its settings have one by one, and with a meaning."""
    reference = {"$ref": section["$ref"]}
    meaning = section.get("description") or definitions[section["$ref"].rpartition("/")[2]]["description"]
    return {**reference, "description": meaning}


def write_schema() -> None:
    """Write the schema to its file."""
    SCHEMA_FILE.write_text(json.dumps(settings_schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schema()

"""Sections of the settings: the base class of all of them, the source, the evaluation, the gate and the watch."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from configs.gate_rules import DEFAULT_RULES, SERVED, Rule, parse_rule, parse_rules
from configs.visible_text import find_secret

# The schemes of a scheduler's address: in the clear, and encrypted.
_CLEAR, _ENCRYPTED = "tcp://", "tls://"
#: The settings of a cluster that name files.
TLS_FILES = ("tls_ca", "tls_certificate", "tls_key")

# YAML 1.2's other ways to write a whole number.
_INTEGER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")


class Section(BaseModel):
    """A section of the settings: frozen, and closed to unknown names and to secrets in addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def is_default(self, name: str) -> bool:
        """Return whether a setting has its default value."""
        return bool(getattr(self, name) == type(self).model_fields[name].default)

    @field_validator("*", mode="before")
    @classmethod
    def _without_secrets(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - whatever a person wrote
        kind = cls.model_fields[str(info.field_name)].annotation
        for text in () if isinstance(kind, type) and issubclass(kind, Section) else _texts(value):
            if belongs := find_secret(text):
                # The value is not repeated: it would show the secret again.
                message = "holds a password, a key or a token: leave it out, and {belongs}"
                raise PydanticCustomError("secret", message, {"belongs": belongs})
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _whole_numbers(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - as above
        if not isinstance(value, str) or cls.model_fields[str(info.field_name)].annotation is not int:
            return value
        with suppress(ValueError):
            return int(value, 0) if _INTEGER.fullmatch(value) else _parse_whole_number(value)
        return value


def _parse_whole_number(text: str) -> int | str:
    """Parse 1e3, which is a number in YAML 1.2; any other text stays as it is, for pydantic to read."""
    return (
        int(float(text)) if re.fullmatch(r"[-+]?\d+(\.\d*)?[eE]\+?\d{1,2}", text) and float(text).is_integer() else text
    )


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for part in pair for text in _texts(part))
    elif isinstance(value, list | tuple):
        yield from (text for part in value for text in _texts(part))


class Evaluation(Section):
    """What challenger and champion are measured on, besides the test split."""

    golden: str = Field(
        default="",
        pattern=r"^([0-9a-f]{12,64})?$",
        description="Hash of a dataset version that is never trained on, or 12 digits of it; both models are measured "
        "on all its images.",
    )


class Gate(Section):
    """The written rules that a challenger must pass; docs/reference/gate-rules.md says how they are read."""

    rules: tuple[str, ...] = Field(
        default=DEFAULT_RULES,
        description="One line each, such as recall of any slice at least 0.4; see docs/reference/gate-rules.md.",
    )
    needs: Literal["likely-improvement", "improvement", "no-harm"] = Field(
        default="likely-improvement",
        description="What may replace a champion: improvement: a model shown to be better, or with new classes. "
        "likely-improvement: that, or one that learned from more; see docs/reference/gate-rules.md. "
        "no-harm: any without harm.",
    )
    more_data: Annotated[float, Field(gt=0, le=10)] = Field(
        default=0.1,
        description="By what share the training images must have grown for likely-improvement; 0.1 is a tenth.",
    )
    better_at: Literal["accuracy", "macro_f1", "log_loss"] = Field(
        default="accuracy", description="The figure on which an improvement must be shown."
    )
    error_rate: Annotated[float, Field(gt=0, le=0.2)] = Field(
        default=0.05,
        description="How often an equal model may be called better, and how often the comparing rules may reject one.",
    )
    minimum_support: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=10, description="A class or slice with fewer test images is unknown, not fine."
    )
    serve_check: bool = Field(
        default=True,
        description="Test the packaged model before each decision, even if no rule says served as evaluated.",
    )
    when_silent: Literal["pass", "fail", "ask"] = Field(
        default="pass", description="How a rule counts that is inconclusive, as it has too few test images."
    )
    live_answers: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=200, description="How many live answers of both models make their live disagreement count as known."
    )
    when_champion_fails: Literal["stop", "absolute"] = Field(
        default="stop",
        description="If the champion no longer loads: stop, or apply only the rules that need no champion.",
    )

    @property
    def parsed(self) -> tuple[Rule, ...]:
        """Return the rules that apply: those that were written, and the smoke test where serve_check asks for it."""
        rules = parse_rules(self.rules)
        if not self.serve_check:
            return tuple(rule for rule in rules if rule.scope != "served")
        return rules if any(rule.scope == "served" for rule in rules) else (*rules, parse_rule(SERVED))

    @model_validator(mode="after")
    def _rules_are_rules(self) -> Self:
        parse_rules(self.rules)
        return self


_AT_MOST = re.compile(r" *at +most +(0(\.\d+)?|\.\d+|1(\.0+)?) *")


class Source(Section):
    """Where people put photographs; runs only ever read it."""

    url: str = Field(description="Folder or bucket of labelled photographs: a path, file:///… or s3://bucket/prefix.")
    pass_over: tuple[str, ...] = Field(
        default=(),
        description="Names of folders that are not classes, besides bins, caches and dot folders; * is any letters.",
    )
    listing: Literal["list", "inventory"] = Field(
        default="list",
        description="How the objects of a bucket are found: list it, or read its S3 inventory, which is a day or a "
        "week behind; see docs/how-to/s3.md.",
    )
    inventory: str = Field(
        default="",
        pattern=r"^(s3://.+)?$",
        description="Where S3 writes the inventory: the folder that holds folders such as 2026-11-28T01-00Z.",
    )
    inventory_days: Annotated[int, Field(ge=1, le=366)] = Field(
        default=8, description="An inventory that is older than this many days is refused."
    )
    vanished: str = Field(
        default="at most 0.3",
        description="Share of the known source that may be gone or unreadable at once; "
        "see docs/reference/gate-rules.md.",
    )

    @field_validator("vanished", mode="before")
    @classmethod
    def _vanished_is_a_rule(cls, value: object) -> object:
        if not (isinstance(value, str) and _AT_MOST.fullmatch(value)):
            message = f"source.vanished = {value} is no such rule: write at most 0.3, with a share between 0 and 1"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _inventory_is_of_a_bucket(self) -> Self:
        if self.listing == "inventory" and not (self.inventory and self.url.startswith("s3://")):
            message = (
                "source.listing is inventory, which needs source.inventory and a source.url that begins with s3://"
            )
            raise ValueError(message)
        return self

    @property
    def vanished_share(self) -> float:
        """Return the share of the known source that may be gone, between 0 and 1."""
        return float(self.vanished.split()[-1])


class Images(Section):
    """Which files may become training images; the limits are checked before anything is decoded."""

    max_megabytes: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=50, description="Larger files are rejected unread."
    )
    max_megapixels: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=100, description="Larger pictures are rejected undecoded."
    )
    min_side: Annotated[int, Field(ge=1, le=10000)] = Field(
        default=32, description="Pictures with a shorter side, in pixels, are rejected."
    )


class Scale(Section):
    """Where long work is done: in this process, or by the workers of a Dask cluster."""

    engine: Literal["local", "dask"] = Field(
        default="local", description="local: in this process. dask: by workers, see docs/how-to/scale.md."
    )
    address: str = Field(
        default="",
        pattern=r"^((tcp|tls)://)?([^\s:/]+:\d+)?$",
        description="Dask's scheduler, such as tls://scheduler.example.org:8786; empty starts workers on this machine.",
    )
    workers: Annotated[int, Field(ge=0, le=1024)] = Field(
        default=0, description="Workers to start where no address is named; 0 starts one for each core."
    )
    in_flight: Annotated[int, Field(ge=1, le=16)] = Field(
        default=2, description="Tasks that a worker has at once: one at work, the others waiting their turn."
    )
    batch: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=256, description="The most images of one task; a worker that dies costs so many for each in flight."
    )
    wait: Annotated[int, Field(ge=1, le=86_400)] = Field(
        default=300, description="How many seconds to wait for a worker before the run fails."
    )
    unlike: Literal["refuse", "separate"] = Field(
        default="refuse",
        description="A machine with other bits than the store's: refuse it, or separate it, with features of its own "
        "and no task where it is a Dask worker.",
    )
    in_memory: Annotated[float, Field(gt=0, le=100_000)] = Field(
        default=4.0,
        description="Gigabytes of features that a head is trained on in memory, which takes three times that; "
        "beyond it learns block by block.",
    )
    tls_ca: str = Field(default="", description="File of the authority whose certificates scheduler and workers have.")
    tls_certificate: str = Field(default="", description="File of the certificate that this machine shows them.")
    tls_key: str = Field(default="", description="File of that certificate's key, which stays on this machine.")

    @property
    def encrypted(self) -> bool:
        """Return whether the scheduler is reached over TLS."""
        return bool(self.tls_ca)

    @property
    def scheduler(self) -> str:
        """Return the scheduler's address with its scheme; empty where workers are started on this machine."""
        if not self.address or "://" in self.address:
            return self.address
        return f"{_ENCRYPTED if self.encrypted else _CLEAR}{self.address}"

    @model_validator(mode="after")
    def _encrypted_wholly_or_not(self) -> Self:
        if lacking := [name for name in TLS_FILES if not getattr(self, name)]:
            if len(lacking) < len(TLS_FILES):
                message = f"scale has some of the three files of TLS: set scale.{lacking[0]} too"
                raise ValueError(message)
            if self.address.startswith(_ENCRYPTED):
                message = "scale.address begins with tls://: set scale.tls_ca, scale.tls_certificate and scale.tls_key"
                raise ValueError(message)
        elif not self.address or self.address.startswith(_CLEAR):
            message = "scale.tls_ca is set: write scale.address as tls://host:port, or leave the three files out"
            raise ValueError(message)
        return self


class Watch(Section):
    """When new photographs start a retraining before the nightly run."""

    settle_minutes: Annotated[int, Field(ge=0, le=1440)] = Field(
        default=10, description="Wait until nothing has been uploaded for this many minutes."
    )
    new_images: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=100, description="How many new images are enough to retrain."
    )
    longest_wait_hours: Annotated[float, Field(gt=0, le=8760)] = Field(
        default=24, description="Retrain when the oldest new image has waited this many hours, however few there are."
    )
    queue: str = Field(
        default="",
        pattern=r"^(https?://[^/]+/.+)?$",
        description="Address of an SQS queue of the bucket's notifications, which wake pedigree watch; "
        "see docs/how-to/watching.md.",
    )

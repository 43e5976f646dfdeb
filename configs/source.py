"""The settings of the source: where photographs lie, what is passed over, and how much may vanish at once."""

import re

from pydantic import Field, field_validator

from configs.section import Section

_AT_MOST = re.compile(r" *at +most +(0(\.\d+)?|\.\d+|1(\.0+)?) *")


class Source(Section):
    """Where people put photographs; Pedigree only ever reads it."""

    url: str = Field(description="Folder or bucket of labelled photographs: a path, file:///… or s3://bucket/prefix.")
    pass_over: tuple[str, ...] = Field(
        default=(),
        description="Names of folders that are no classes, beside bins, caches and dot folders; * is any letters.",
    )
    vanished: str = Field(
        default="at most 0.3",
        description="Share of the known source that may be gone or unreadable at once; see docs/gate.md.",
    )

    @field_validator("vanished", mode="before")
    @classmethod
    def _vanished_is_a_rule(cls, value: object) -> object:
        if not (isinstance(value, str) and _AT_MOST.fullmatch(value)):
            message = f"source.vanished = {value} is no such rule: write at most 0.3, with a share between 0 and 1"
            raise ValueError(message)
        return value

    @property
    def vanished_share(self) -> float:
        """Return the share that may be gone."""
        return float(self.vanished.split()[-1])

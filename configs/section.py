"""What every section of the settings is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Frozen, and closed to names that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

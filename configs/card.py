"""The section of the settings about the model card: what no run can know, and only a person can say."""

from pydantic import Field

from configs.sections import Section


class Card(Section):
    """What only a person can say on the model card, as the Hugging Face Hub names it."""

    license: str = Field(
        default="",
        pattern=r"^[a-z0-9.-]*$",
        description="Licence of the model, such as apache-2.0 or cc-by-nc-4.0; empty: nobody has chosen one yet.",
    )
    terms: str = Field(
        default="", description="A sentence about the licence: the backbone's weights, the photographs, whom to ask."
    )
    base_model: str = Field(
        default="", description="Name on the hub of the model that the backbone's weights come from, as owner/name."
    )
    datasets: tuple[str, ...] = Field(default=(), description="Names on the hub of the data that it was trained on.")
    tags: tuple[str, ...] = Field(default=(), description="More tags, by which the hub finds the model.")

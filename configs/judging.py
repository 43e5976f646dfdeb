"""The settings by which a challenger is measured and judged."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from configs.rules import DEFAULT_RULES, SERVED, Rule, parse_rule, parse_rules
from configs.section import Section


class Evaluation(Section):
    """What challenger and champion are measured on beside the test split."""

    golden: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="Hash of a dataset version that is never trained on; both models are measured on all its images.",
    )


class Gate(Section):
    """The written rules that a challenger must pass; docs/gate.md says how they are read."""

    rules: tuple[str, ...] = Field(
        default=DEFAULT_RULES, description="One line each, such as recall of any slice at least 0.4; see docs/gate.md."
    )
    needs: Literal["likely-improvement", "improvement", "no-harm"] = Field(
        default="likely-improvement",
        description="What a champion gives way to: improvement: a model shown to be better, or with new classes. "
        "likely-improvement: that, or one that learned from more; see docs/gate.md. no-harm: any without harm.",
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
        description="How often an equal model may be called better, and how often the comparing rules may refuse one.",
    )
    minimum_support: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=10, description="Of a class or slice with fewer test images nothing is said: it is unknown, not fine."
    )
    serve_check: bool = Field(
        default=True,
        description="Ask the packaged model before each decision, also where no rule says served as evaluated.",
    )
    when_silent: Literal["pass", "fail", "ask"] = Field(
        default="pass", description="What a rule comes to that has too few test images to say anything."
    )
    when_champion_fails: Literal["stop", "absolute"] = Field(
        default="stop",
        description="Where the champion no longer loads: stop, or judge by the rules that need no champion.",
    )

    @property
    def parsed(self) -> tuple[Rule, ...]:
        """Return the rules that are asked: those that were written, with the check of the packaged model or without."""
        rules = parse_rules(self.rules)
        if not self.serve_check:
            return tuple(rule for rule in rules if rule.scope != "served")
        return rules if any(rule.scope == "served" for rule in rules) else (*rules, parse_rule(SERVED))

    @model_validator(mode="after")
    def _rules_are_rules(self) -> Self:
        parse_rules(self.rules)
        return self

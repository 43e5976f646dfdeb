"""Checked models: a model is read from its source, built beside another one, and has passed its golden check."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from configs.servers import Serve
from tasks.domain.serving.answers import ModelIdentity
from tasks.service.models.golden_check import GoldenResult, check_golden
from tasks.service.models.model_source import ModelSource
from tasks.service.models.served_model import ServedModel, build_model

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone
    from tasks.modeling.packaged_model import Package


@dataclass(frozen=True)
class CheckedModel:
    """A model that has passed its check.

    Attributes:
        result: The model, and what its check saw.
        package: Its files; without that of the backbone where that was loaded already.
    """

    result: GoldenResult
    package: "Package"


def build_checked_model(
    source: ModelSource, identity: ModelIdentity, settings: Serve, former: ServedModel | None
) -> CheckedModel:
    """Build a model beside another one, whose backbone it takes where both have the same, and check it.

    Args:
        source: Holds its files.
        identity: Which model it is.
        settings: How long decoding may take, and which files are accepted at most.
        former: A model that is loaded already, if any.

    Returns:
        The model and its files.
    """
    package = source.package(identity, former.identity.backbone if former else "")
    model = build_model(identity, restore_or_share(package, former), package, settings, former)
    return CheckedModel(check_golden(model, source.golden(identity, package)), package)


def restore_or_share(package: "Package", former: ServedModel | None) -> "Backbone":
    """Build a package's backbone, or return that of the former model where the package leaves it out.

    Args:
        package: The files of a model.
        former: A model that is loaded already, if any.

    Returns:
        The backbone.
    """
    if former and not package.backbone:
        return former.backbone
    from tasks.modeling.backbone.backbone import restore_backbone
    from tasks.modeling.packaged_model import served_facts

    return restore_backbone(package.backbone, served_facts(package.backbone_facts))

"""Golden check: a model answers test images as it was evaluated, and refuses what is no picture, before it serves."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from configs.errors import PedigreeError
from tasks.domain.gate.serving_check import NO_PICTURE, check_serving
from tasks.domain.hashing import sha256_of
from tasks.domain.images.preprocessing import CONTRACT, decoder_versions
from tasks.domain.images.rejections import Rejection
from tasks.modeling.packaged_model import predict_features, reject
from tasks.service.models.model_source import GoldenSet
from tasks.service.models.served_model import ServedModel, Vector


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """How a model answered before it serves.

    Attributes:
        model: The model, which from now on knows the features that were computed.
        summary: What was seen, in words.
    """

    model: ServedModel
    summary: str


def check_golden(model: ServedModel, golden: GoldenSet | None) -> GoldenResult:
    """Ask a model as clients will, and compare its answers with the evaluation's.

    On a machine of the kind that embedded, which gives the same bits for the reference pictures, they must be equal bit
    for bit; on another one a difference of a reproduction is allowed.

    Args:
        model: The model, which does not serve yet.
        golden: Test images with the evaluation's predictions; without any only what is no picture is asked.

    Returns:
        The model, and what was seen.

    Raises:
        PedigreeError: An answer is not as it was evaluated; the sentence says which.
    """
    if golden is None:
        # The network is traced when it computes first: no client waits for that.
        return GoldenResult(replace(model, reference=_reference(model)), _check_refusal(model))
    features = {image: _features(model, image, data) for image, data in golden.images.items()}
    rows = [_row(model, vector) for vector in features.values()]
    rows.append(asdict(model.predict(NO_PICTURE)))
    reference = _reference(model)
    tolerance = 0.0 if golden.reference == reference else golden.tolerance
    check = check_serving(model.identity.version, golden.expected, rows, tolerance)
    if check.wrong:
        raise PedigreeError(f"{check.wrong}.")
    vectors = {image: vector for image, vector in features.items() if not isinstance(vector, Rejection)}
    return GoldenResult(replace(model, golden=vectors, reference=reference), str(check))


def check_copy(model: ServedModel, reference: str) -> ServedModel:
    """Check that a copy on this machine answers as it did when it passed its golden check.

    Args:
        model: The model, which does not serve yet.
        reference: What ``describe_reference`` said when the copy was made.

    Returns:
        The model.

    Raises:
        PedigreeError: The copy is damaged, or computes or decodes in another way than when it was checked.
    """
    if model.head.name != model.identity.head:
        raise PedigreeError("The copy of the last good model is damaged: its head is another one.")
    computed = replace(model, reference=_reference(model))
    if describe_reference(computed) != reference:
        raise PedigreeError("The copy of the last good model gives other answers than when it was checked.")
    _check_refusal(computed)
    return computed


def describe_reference(model: ServedModel) -> str:
    """Return a hash of what decides a model's answers on this machine, beside its weights: 64 hex digits."""
    return sha256_of([model.reference, CONTRACT, decoder_versions()])


def _features(model: ServedModel, image: str, data: bytes) -> Vector | Rejection:
    golden = model.golden.get(image)
    return model.embed(data) if golden is None else golden


def _row(model: ServedModel, features: Vector | Rejection) -> Mapping[str, Any]:
    return asdict(reject(features) if isinstance(features, Rejection) else predict_features(model.head, features))


def _reference(model: ServedModel) -> str:
    from tasks.modeling.backbone.self_test import hash_reference_features

    return model.reference or hash_reference_features(model.backbone)


def _check_refusal(model: ServedModel) -> str:
    if model.predict(NO_PICTURE).label is not None:
        raise PedigreeError("The model gives a class to what is no picture.")
    return "no test image was at hand to ask; what is no picture was refused"

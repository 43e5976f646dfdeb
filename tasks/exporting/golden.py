"""Golden pictures: files of several kinds that nobody photographed, and the answers that are expected of a model."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageCms

from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.preprocessing import Limits, preprocess_image
from tasks.domain.images.rejections import Rejection
from tasks.domain.synthetic.drawn_dogs import BREEDS, draw

if TYPE_CHECKING:
    from tasks.modeling.packaged_model import Predictor

#: The name of the file that holds the expected answers.
EXPECTED = "expected.json"
_SIDE, _ORIENTATION, _TURNED = 320, 0x0112, 6


def draw_golden_pictures() -> dict[str, bytes]:
    """Draw the golden pictures, which exercise each part of the pixel function, and a file that is refused.

    Returns:
        The files by their names: turned by EXIF, with a colour profile, for print, grey, transparent, in 16 bits of
        grey, of several formats, and one that is cut off.
    """
    dogs = [draw(breed, "brown", number, side=_SIDE) for number, breed in enumerate(BREEDS[:3])]
    wide = dogs[0].crop((0, 40, _SIDE, 260))
    exif = Image.Exif()
    exif[_ORIENTATION] = _TURNED
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    transparent = dogs[1].convert("RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize(transparent.size))
    deep = Image.fromarray(np.asarray(dogs[2].convert("L"), np.uint16) * 257)
    pictures = {
        "turned.jpg": _encode(wide, "JPEG", quality=90, exif=exif),
        "profile.jpg": _encode(dogs[1], "JPEG", quality=85, icc_profile=profile),
        "print.jpg": _encode(dogs[2].convert("CMYK"), "JPEG", quality=90),
        "progressive.jpg": _encode(dogs[0], "JPEG", quality=75, progressive=True),
        "grey.png": _encode(wide.convert("L"), "PNG"),
        "deep-grey.png": _encode(deep, "PNG"),
        "transparent.png": _encode(transparent, "PNG"),
        "palette.gif": _encode(dogs[1].quantize(64), "GIF"),
        "photograph.webp": _encode(dogs[2], "WEBP", quality=80),
    }
    return {**pictures, "cut-off.jpg": pictures["turned.jpg"][: len(pictures["turned.jpg"]) // 2]}


def _encode(picture: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401 - what Pillow takes
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()


def expect_answers(predictor: "Predictor", pictures: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Answer pictures by the model as Pedigree serves it.

    Args:
        predictor: The model, on its own engine.
        pictures: The files by their names.

    Returns:
        For each file the hash of its pixels and the probabilities, or why it is refused.
    """
    answers = {}
    for name, data in pictures.items():
        pixels = preprocess_image(data, predictor.backbone.size, predictor.limits)
        if isinstance(pixels, Rejection):
            answers[name] = {"problem": pixels.reason.value}
        else:
            features = predictor.backbone.network(pixels)
            answers[name] = _answer(pixels, predictor.head.probabilities(features[None])[0])
    return answers


def expect_evaluated(
    pictures: Mapping[str, bytes], probabilities: np.ndarray, size: int, limits: Limits
) -> dict[str, dict[str, Any]]:
    """Expect of photographs the very answers with which a model was evaluated.

    Args:
        pictures: The files by their names.
        probabilities: What the model was evaluated with, of shape (n_pictures, n_classes).
        size: The side of the network's square, in pixels.
        limits: Which image files are accepted.

    Returns:
        For each file the hash of its pixels and the probabilities; a file that these limits refuse is left out.
    """
    squares = {name: preprocess_image(data, size, limits) for name, data in pictures.items()}
    pairs = zip(squares.items(), probabilities, strict=True)
    return {name: _answer(pixels, row) for (name, pixels), row in pairs if not isinstance(pixels, Rejection)}


def _answer(pixels: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    return {"pixels": sha256_of_bytes(pixels.tobytes()), "probabilities": probabilities.tolist(), "problem": ""}


def write_pictures(folder: Path, pictures: Mapping[str, bytes], answers: Mapping[str, Mapping[str, Any]]) -> None:
    """Write pictures and the answers that are expected of them into a new folder.

    Args:
        folder: The folder to make.
        pictures: The files by their names.
        answers: The answers by the names of files.
    """
    folder.mkdir()
    for name in answers:
        (folder / name).write_bytes(pictures[name])
    (folder / EXPECTED).write_text(json.dumps(answers, indent=1), encoding="utf-8")

"""The program of a process that tries fine-tuning, so that memory, random state and TensorFlow stay its own.

No run imports it; it writes its messages to standard output, one JSON object a line.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from time import process_time
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from configs import schema
from configs.errors import PedigreeError
from configs.load import parse_settings
from tasks.domain.datasets.manifest import Row
from tasks.domain.evaluation.fine_tuning_trial import (
    Trial,
    TrialImages,
    TrialMeasurement,
    choose_trial_images,
    conclude_trial,
    count_trial_epochs,
)
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.training.results import FeatureSet
from tasks.features.stored_models import trainable_backbone
from tasks.modeling.backbone.backbone import Backbone, with_engine
from tasks.modeling.backbone.embedding import embed_images
from tasks.modeling.fine_tuning.distribution import devices_of_this_machine
from tasks.modeling.fine_tuning.fine_tuning import FineTuning, FineTuningData
from tasks.modeling.fine_tuning.input_pipeline import ImageReader, LabelledImages
from tasks.modeling.head.head import Head
from tasks.modeling.head.training import build_fit_options, train_head
from tasks.step import prepare_process
from tasks.stores.store import Store
from tasks.stores.tables.features import FeatureStore
from tasks.training.fit_head import Groups, read_examples, read_groups

Advance = Callable[[int], None]


def main() -> None:
    """Read a request from standard input, try fine-tuning, and write progress and result to standard output."""
    request = json.load(sys.stdin)
    # Whatever a library prints goes to standard error, so that standard output holds messages only.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as output:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        settings = parse_settings(request["settings"], "The settings of a trial of fine-tuning")
        try:
            trial = try_fine_tuning(
                request["dataset"],
                FeatureSet(**request["features"]),
                settings,
                lambda more: _write_message(output, {"advance": more}),
            )
            _write_message(output, {"trial": asdict(trial)})
        except PedigreeError as problem:
            _write_message(output, {"problem": str(problem)})
        except MemoryError:
            _write_message(output, {"problem": "it needs more memory than there is; set a smaller fine_tuning.batch"})


def try_fine_tuning(dataset: str, features: FeatureSet, settings: schema.Settings, advance: Advance) -> Trial:
    """Fine-tune on a sample, train a head on the same images, and compare both on validation images.

    Args:
        dataset: The hash of a dataset version.
        features: The features that the run's head takes.
        settings: Those of the run.
        advance: Gets how many more images have passed through the network.

    Returns:
        The trial, in figures and in a sentence.
    """
    store = Store(settings.store.url)
    rows, groups = store.manifests.read(dataset), read_groups(store)
    images = choose_trial_images(rows, groups, settings)
    table = store.features(features.fingerprint, features.width)
    head = _train_head(images, table, settings.training, groups)
    backbone = trainable_backbone(store, features.fingerprint)
    reader = ImageReader(store.images.read, limits_from_settings(settings.images), backbone.size)
    fine_tuning = _fine_tuning(images, (backbone, head), reader, settings, advance)
    started = process_time()
    tuned_backbone, tuned = fine_tuning.run_without_validation()
    learned = process_time()
    stored = store.images.read([row.image for row in images.validation])
    vectors = []
    # Photographs are evaluated by the engine of the run, whose time for each is told.
    served = with_engine(tuned_backbone, settings.backbone.engine)
    for _, vector in embed_images(served, stored, reader.limits):
        vectors.append(vector)
        advance(1)
    passes = count_trial_epochs(settings) * len(images.train)
    measured = TrialMeasurement(
        tuned_correct=_correct(tuned, np.stack(vectors), images.validation),
        head_correct=_correct(head, table.read([row.image for row in images.validation]), images.validation),
        groups=[groups.get(row.image, row.image) for row in images.validation],
        seconds_per_training_image=(learned - started) / passes,
        seconds_per_evaluated_image=(process_time() - learned) / len(images.validation),
        seconds=process_time(),
    )
    return conclude_trial(images, measured, rows, settings, datetime.now(UTC).date().isoformat())


def _train_head(images: TrialImages, table: FeatureStore, training: schema.Training, groups: Groups) -> Head:
    examples = read_examples(images.train, images.classes, table, training, groups)
    return train_head(images.classes, examples, build_fit_options(training))[0]


def _fine_tuning(
    images: TrialImages, start: tuple[Backbone, Head], reader: ImageReader, settings: schema.Settings, advance: Advance
) -> FineTuning:
    fine_tuning = settings.fine_tuning.model_copy(update={"epochs": count_trial_epochs(settings)})
    train, nothing = (
        LabelledImages([row.image for row in rows], [images.classes.index(row.label) for row in rows])
        for rows in (images.train, ())
    )
    data = FineTuningData(train, nothing, reader, fine_tuning, settings.training)
    return FineTuning(*start, data, devices_of_this_machine(fine_tuning.devices), advance)


def _correct(head: Head, features: NDArray[np.float32], rows: Sequence[Row]) -> NDArray[np.bool_]:
    truth = np.array([head.classes.index(row.label) for row in rows])
    return np.asarray(head.logits(features).argmax(axis=1) == truth)


def _write_message(output: IO[str], message: Mapping[str, Any]) -> None:
    output.write(f"{json.dumps(message)}\n")
    output.flush()


if __name__ == "__main__":
    prepare_process()
    main()

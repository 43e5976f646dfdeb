"""The settings: every value that a person may choose, with its meaning, default and limits."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from configs.card import Card
from configs.sections import Evaluation, Gate, Images, Scale, Section, Source, Watch

# Test and validation split together; at least a fifth of the images is left to train on.
_MOST_HELD_BACK = 80
# InceptionV3's blocks, in their order.
Block = Literal[
    "mixed0", "mixed1", "mixed2", "mixed3", "mixed4", "mixed5", "mixed6", "mixed7", "mixed8", "mixed9", "mixed10"
]
_BLOCKS: tuple[Block, ...] = get_args(Block)
# Two layers side by side: only the last ones gain from it.
Pair = Literal["mixed7+mixed8", "mixed7+mixed9", "mixed7+mixed10", "mixed8+mixed9", "mixed8+mixed10", "mixed9+mixed10"]
#: The cut is measured and chosen by the first run of a store, and stays.
AUTO: Literal["auto"] = "auto"
Cut = Literal[Block, Pair, "auto"]

#: Former settings of the section training; files and records that name them are still read.
RETIRED = frozenset({"epochs", "patience", "batch", "learning_rate", "dropout", "search", "warm_start"})


class Store(Section):
    """The store, which Pedigree owns: append-only, addressed by content."""

    url: str = Field(
        description="Folder or bucket that Pedigree writes to: a path, file:///… or s3://bucket/prefix. "
        "A settings file that leaves it out means the folder store in Pedigree's home folder."
    )
    images: Literal["copy", "reference"] = Field(
        default="copy",
        description="What is kept of an original: copy: its bytes. reference: its key and version in a source that "
        "keeps versions; see docs/how-to/s3.md.",
    )


class Labels(Section):
    """Where labels come from, and how they are spelled."""

    sources: tuple[Literal["folder", "manifest", "metadata"], ...] = Field(
        default=("folder",),
        min_length=1,
        description="Where labels come from, the most trusted first: folder, manifest, metadata (of S3 objects).",
    )
    layout: str = Field(
        default="label",
        pattern=r"^[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*$",
        description="What each folder level says: label for poodle/1.jpg, label/coat for poodle/white/1.jpg.",
    )
    splits: Literal["ignore", "keep"] = Field(
        default="ignore", description="Whether the attribute split (train, validation, test) is obeyed: keep or ignore."
    )
    manifest: str = Field(
        default="",
        description="Key of the manifest in the source: CSV, JSON Lines, or an export of a labelling tool.",
    )
    column: str = Field(
        default="",
        description="The manifest's field that is the label, or Label Studio's control; empty: as its format says.",
    )
    root: str = Field(
        default="",
        description="Where the manifest's references start: a folder of the source, or what stands before its keys.",
    )
    attributes: tuple[str, ...] = Field(
        default=(),
        description="Columns and metadata to keep as attributes; empty: all of the manifest's, none of the metadata's.",
    )
    aliases: Mapping[str, str] = Field(
        default={}, description='Other spellings of a class, such as {"toy poodle": "poodle"}; case does not matter.'
    )
    leave_out: tuple[str, ...] = Field(default=(), description="Classes that are not learned.")

    @model_validator(mode="after")
    def _manifest_is_named(self) -> Self:
        if "manifest" in self.sources and not self.manifest:
            message = "labels.sources has manifest: set labels.manifest to the key of its file"
            raise ValueError(message)
        return self


class Dataset(Section):
    """How images become a dataset version."""

    min_images_per_class: Annotated[int, Field(ge=3, le=1_000_000)] = Field(
        default=20, description="A class with fewer images waits until it has enough."
    )
    test_percent: Annotated[int, Field(ge=5, le=50)] = Field(
        default=20, description="Share of new images that go to the test split, for life."
    )
    validation_percent: Annotated[int, Field(ge=5, le=50)] = Field(
        default=15, description="Share of new images that go to the validation split, for life."
    )
    near_duplicate_bits: Annotated[int, Field(ge=0, le=80)] = Field(
        default=72,
        description="Pictures whose 256-bit perceptual hashes differ in at most this many bits share a split.",
    )

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> Self:
        if self.test_percent + self.validation_percent > _MOST_HELD_BACK:
            message = f"dataset.test_percent and dataset.validation_percent are more than {_MOST_HELD_BACK} together"
            raise ValueError(message)
        return self


class Backbone(Section):
    """The Inception network up to its cut layer; it turns a picture into features."""

    weights: str = Field(
        default="imagenet",
        description="imagenet, demo (drawn dogs), random, or the path or s3:// address of an InceptionV3 weights file.",
    )
    sha256: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="SHA-256 of the weights file; needed for a path or an s3:// address.",
    )
    cut: Cut = Field(
        default="mixed10",
        description="The layer whose pooled output is the feature: mixed0 to mixed10, two as mixed8+mixed9, or auto.",
    )
    size: Annotated[int, Field(ge=27, le=1024)] = Field(
        default=299, description="Side of the square that the network sees, in pixels."
    )
    precision: Literal["float32", "float16"] = Field(
        default="float32", description="How features are kept; float16 takes half the space."
    )
    engine: Literal["tensorflow", "onnxruntime"] = Field(
        default="tensorflow", description="What computes features: tensorflow, or onnxruntime, which is an extra."
    )
    batch: Annotated[int, Field(ge=0, le=1024)] = Field(
        default=0, description="Pictures in one call of TensorFlow; 0 takes 1 on a processor and 64 on a graphics card."
    )
    computing: Literal["float32", "float16", "bfloat16"] = Field(
        default="float32", description="The precision of products and sums; 16 bits are for graphics cards."
    )

    @property
    def is_file(self) -> bool:
        """Return whether the weights are a file, named by its path or address."""
        return self.weights not in {"imagenet", "demo", "random"}

    @model_validator(mode="after")
    def _for_tensorflow(self) -> Self:
        if self.engine != "tensorflow" and not (self.is_default("batch") and self.is_default("computing")):
            message = "backbone.batch and backbone.computing are TensorFlow's: leave them out, or set backbone.engine"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _named_by_hash(self) -> Self:
        if self.is_file and not self.sha256:
            message = f"backbone.weights is the file {self.weights}: set backbone.sha256 to its SHA-256"
            raise ValueError(message)
        return self


class Training(Section):
    """How a model is trained on a dataset version."""

    method: Literal["head", "fine-tune"] = Field(
        default="head",
        description="head trains a classifier on stored features, in seconds; fine-tune trains the backbone's end too.",
    )
    views: Literal["identity", "mirror", "five-crops"] = Field(
        default="identity",
        description="What the head learns from: each image as it is, its mirror image too, or five crops too.",
    )
    balance: Literal["weights", "sampling", "none"] = Field(
        default="weights",
        description="How rare classes are balanced: by weight, by being drawn more often (fine-tuning only), or not.",
    )
    l2: Annotated[float, Field(ge=0, le=10)] = Field(
        default=0.0,
        description="Weight decay of the head; 0 tries 3 to 0.000001 and keeps the best on images held out.",
    )
    label_smoothing: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.0, description="Share of certainty that is taken from each label, since labels may be wrong."
    )
    sure_precision: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.95,
        description="Share of confident answers that must be right; otherwise the model says I don't know.",
    )
    most: Annotated[int, Field(ge=0, le=10**9)] = Field(
        default=0,
        description="About how many images a head learns from, always the same ones of each class; 0 takes all.",
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=0, description="Starts every random choice; the same seed gives the same model."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_retired(cls, values: Any) -> Any:  # noqa: ANN401 - whatever a person wrote
        return (
            {name: value for name, value in values.items() if name not in RETIRED}
            if isinstance(values, dict)
            else values
        )


class FineTuning(Section):
    """How the backbone's end is trained, where training.method is fine-tune."""

    from_block: Block = Field(
        default="mixed9",
        description="The first block that learns: mixed0 to mixed10; those before it stay as they are.",
    )
    epochs: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=10, description="Passes over the training images; the best one by validation loss counts."
    )
    batch: Annotated[int, Field(ge=1, le=4096)] = Field(default=32, description="Images in one training step.")
    learning_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.0001, description="Highest step size of Adam, after a warm-up and before a decay to zero."
    )
    augmentation: Literal["none", "light", "strong"] = Field(
        default="light", description="Random changes of the pictures: mirror and shift, or colours and zoom as well."
    )
    frozen_statistics: bool = Field(
        default=True, description="Batch normalisation keeps the statistics that it came with."
    )
    devices: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1, description="Devices of this machine that share each step."
    )
    trial: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=0,
        description="Photographs on which a run that trains a head also tries fine-tuning for two epochs, "
        "and says whether it is worth it; 0 tries nothing.",
    )


class Tracking(Section):
    """Where MLflow keeps runs and models."""

    url: str = Field(
        default="",
        description="MLflow address such as http://127.0.0.1:5000; empty means the database in Pedigree's home folder.",
    )
    experiment: str = Field(
        default="pedigree", min_length=1, description="MLflow experiment that gets one run for each training."
    )
    model: str = Field(default="pedigree", min_length=1, description="Name of the registered model.")


class Settings(Section):
    """Everything a retraining needs to know."""

    source: Source
    store: Store
    labels: Labels = Field(default=Labels(), description="Where labels come from.")
    images: Images = Field(default=Images(), description="Which files may become training images.")
    dataset: Dataset = Field(default=Dataset(), description="How images become a dataset version.")
    backbone: Backbone = Field(default=Backbone(), description="The Inception network that makes the features.")
    training: Training = Field(default=Training(), description="How a model is trained.")
    fine_tuning: FineTuning = Field(default=FineTuning(), description="How the backbone's end is trained.")
    evaluation: Evaluation = Field(default=Evaluation(), description="What models are measured on.")
    gate: Gate = Field(default=Gate(), description="The rules that a challenger must pass.")
    tracking: Tracking = Field(default=Tracking(), description="Where MLflow keeps runs and models.")
    card: Card = Field(default=Card(), description="What only a person can say on the model card.")
    watch: Watch = Field(default=Watch(), description="When new photographs start a retraining before the nightly run.")
    scale: Scale = Field(default=Scale(), description="Where long work runs, and on how many workers.")

    @property
    def learns_behind_the_cut(self) -> bool:
        """Return whether fine-tuning would begin with a block behind the cut, which the backbone does not have."""
        if self.backbone.cut == AUTO:
            return False
        blocks, last = [str(block) for block in _BLOCKS], self.backbone.cut.rpartition("+")[2]
        return blocks.index(self.fine_tuning.from_block) > blocks.index(last)

    @model_validator(mode="after")
    def _something_learns(self) -> Self:
        cut, first = self.backbone.cut, self.fine_tuning.from_block
        if self.training.method == "fine-tune" and self.learns_behind_the_cut:
            message = (
                f"fine_tuning.from_block is {first}, which is behind backbone.cut {cut}: "
                f"set fine_tuning.from_block to {cut.rpartition('+')[2]} or an earlier block"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _golden_is_named(self) -> Self:
        golden_rules = [rule.text for rule in self.gate.parsed if rule.golden]
        if golden_rules and not self.evaluation.golden:
            message = (
                f"the rule {golden_rules[0]!r} needs a golden set: set evaluation.golden to the hash of its version"
            )
            raise ValueError(message)
        return self

    def __str__(self) -> str:
        """Return in one line where photographs and store are."""
        return f"photographs in {self.source.url}, store in {self.store.url}"

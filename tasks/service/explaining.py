"""Explaining: a thread reads what explains the model that serves, while that model answers already."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread, get_native_id

from configs.errors import PedigreeError
from configs.servers import Serve
from tasks.service.models.following import Follower
from tasks.service.models.knowledge import Knowledge
from tasks.service.models.model_source import ModelSource
from tasks.service.models.served_model import ServedModel

#: Where training photographs are shown, before their names.
TRAINING_ADDRESS = "/v1/training/"
# How much later than answers this work gets a core.
_NICE = 10


@dataclass
class Explainer:
    """Holds what explains the model that serves.

    Attributes:
        source: Where that is read from.
        follower: Holds the model that serves.
        settings: How many training images are held in memory, and whether photographs are shown.
        log: Writes a sentence for whoever runs the service.
        knowledge: What explains a model; None before it was read, and where there is none.
        waits: Why the model that serves is not explained; empty where it is.
    """

    source: ModelSource
    follower: Follower
    settings: Serve
    log: Callable[[str], None]
    knowledge: Knowledge | None = None
    waits: str = "What the model was trained on is not read yet."
    _tried: tuple[str, str, str] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Begin without having read anything."""
        self._ended = Event()
        self._thread = Thread(target=self._follow, name="explain", daemon=True)

    def start(self) -> None:
        """Follow the model that serves from now on, in a thread, if anything is to be explained."""
        if self.settings.why_images:
            self._thread.start()
        else:
            self.waits = "serve.why_images is 0."

    def stop(self) -> None:
        """Follow no more."""
        self._ended.set()

    def known(self, model: ServedModel) -> Knowledge | None:
        """Return what explains a model; None where that is not there."""
        knowledge = self.knowledge
        return knowledge if knowledge and knowledge.key == model.identity.key else None

    @property
    def address(self) -> str:
        """Return where training photographs are shown, before their names; empty where they are not."""
        return TRAINING_ADDRESS if self.settings.show_training else ""

    def shows(self, image: str) -> bool:
        """Return whether the photograph of this name may be shown: it is one of the training images."""
        return bool(self.address and self.knowledge and image in self.knowledge.images)

    def _follow(self) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)
        while not self._ended.is_set():
            self.look()
            self._ended.wait(self.settings.follow_seconds)

    def look(self) -> None:
        """Read what explains the model that serves, where that is another one than before; once for each model."""
        model = self.follower.model
        if model is None or model.identity.key == self._tried:
            return
        self._tried = model.identity.key
        # The former model's images are let go first: two of them would need twice the memory.
        self.knowledge, self.waits = None, "What the model was trained on is being read."
        try:
            self.knowledge = self.source.knowledge(model, self.settings.why_images)
            self.waits = ""
        except Exception as error:  # noqa: BLE001 - an answer without a reason is still an answer
            failure = f"What the model was trained on cannot be read ({type(error).__name__})."
            self.waits = str(error) if isinstance(error, PedigreeError) else failure
            self.log(f"Answers of {model.identity.short} are not explained: {self.waits}")

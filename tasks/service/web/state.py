"""What the addresses of the service share."""

import time
from dataclasses import dataclass

from configs.servers import Serve
from tasks.domain.serving.problems import ProblemKind, ServiceProblemError
from tasks.service.answering import Answering
from tasks.service.collecting.feedback_intake import FeedbackIntake
from tasks.service.drifting import DriftWatch
from tasks.service.explaining import Explainer
from tasks.service.metrics import Metrics
from tasks.service.model_pages import ModelPages
from tasks.service.models.following import Follower
from tasks.service.models.served_model import ServedModel
from tasks.service.shadowing import Shadow
from tasks.service.web.access import Access
from tasks.service.web.bodies import Memory


@dataclass
class ServiceState:
    """The parts of a running service.

    Attributes:
        settings: What it takes on.
        follower: Holds the model that serves.
        answering: Works on photographs.
        metrics: What is counted.
        access: Who may ask.
        memory: The bytes of bodies that are held.
        explainer: Holds what explains answers.
        drift: Keeps a sample of the pictures of a day.
        shadow: Compares the challenger that waits with the champion.
        feedback: Takes what people say of answers.
        pages: Knows where MLflow shows the model's card.
        draining: Whether the service is about to stop.
    """

    settings: Serve
    follower: Follower
    answering: Answering
    metrics: Metrics
    access: Access
    memory: Memory
    explainer: Explainer
    drift: DriftWatch
    shadow: Shadow
    feedback: FeedbackIntake
    pages: ModelPages
    draining: bool = False

    def model(self) -> ServedModel:
        """Return the model that serves; raise ServiceProblemError before there is one."""
        model = self.follower.model
        if model is None:
            raise ServiceProblemError(ProblemKind.NO_MODEL, f"{self.follower.following.waits}.", retry_after=5)
        return model

    def following_age(self) -> float:
        """Return how many seconds ago it was confirmed who is champion."""
        return self.follower.following.age(time.time())

"""Shadow: how a challenger would have answered live pictures, compared with the champion's answers, which count."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tasks.domain.gate.live_disagreement import ClassDisagreement, LiveDisagreement

#: The most pictures that are kept of those on which the two differ.
KEPT = 200


class ShadowAnswer(NamedTuple):
    """What a model answers, as far as the comparison needs it.

    Attributes:
        label: The predicted class.
        probability: Its probability.
        sure: Whether the model is confident.
    """

    label: str
    probability: float
    sure: bool


class DisputedPicture(NamedTuple):
    """A picture that champion and challenger answer differently.

    Attributes:
        both_sure: Whether both are confident.
        confidence: The smaller of the two probabilities.
        image: The SHA-256 of its bytes.
        champion: The class that the champion predicts.
        challenger: The class that the challenger predicts.
    """

    both_sure: bool
    confidence: float
    image: str
    champion: str
    challenger: str


@dataclass(frozen=True, slots=True)
class ClassAgreement:
    """How often the challenger agrees where the champion predicts one class.

    Attributes:
        label: The class.
        answers: The champion's answers.
        agreed: Those that the challenger gives, too.
        instead: The class that the challenger gives most often in place of it; empty where it always agrees.
    """

    label: str
    answers: int
    agreed: int
    instead: str


@dataclass
class Agreement:
    """Counts of a champion's and a challenger's answers to the same pictures.

    Memory is bounded by the square of the number of classes and by ``KEPT`` pictures. Every answer counts, also the
    second one about the same picture; a picture on which the two differ is kept once.

    Attributes:
        answers: The number of times that each pair of classes was predicted, the champion's first.
        both_sure_different: How many answers differ though both models are confident.
        disputed: The pictures on which they differ, by image: at most ``KEPT``, those on which both are sure first, and
            then those on which the less sure model is surest.
    """

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    both_sure_different: int = 0
    disputed: dict[str, DisputedPicture] = field(default_factory=dict)

    def add(self, image: str, champion: ShadowAnswer, challenger: ShadowAnswer) -> None:
        """Count the two answers to one picture.

        Args:
            image: The SHA-256 of its bytes.
            champion: What the champion answered.
            challenger: What the challenger would have answered.
        """
        self.answers[champion.label, challenger.label] += 1
        if champion.label == challenger.label:
            return
        both_sure = champion.sure and challenger.sure
        self.both_sure_different += both_sure
        confidence = min(champion.probability, challenger.probability)
        self._keep(DisputedPicture(both_sure, confidence, image, champion.label, challenger.label))

    def _keep(self, picture: DisputedPicture) -> None:
        self.disputed[picture.image] = picture
        if len(self.disputed) > KEPT:
            del self.disputed[min(self.disputed.values()).image]

    def include(self, other: "Agreement") -> None:
        """Count the answers of another comparison of the same two models, too.

        Args:
            other: What was counted elsewhere or before.
        """
        self.answers.update(other.answers)
        self.both_sure_different += other.both_sure_different
        for picture in other.disputed.values():
            self._keep(picture)

    @property
    def total(self) -> int:
        """Return the number of pictures that both have answered."""
        return self.answers.total()

    @property
    def agreed(self) -> int:
        """Return the number of pictures to which both give the same class."""
        return sum(number for (champion, challenger), number in self.answers.items() if champion == challenger)

    @property
    def disagreement(self) -> float | None:
        """Return the share of answers that differ; None where there is no answer."""
        return 1 - self.agreed / self.total if self.total else None

    def by_class(self) -> tuple[ClassAgreement, ...]:
        """Return the agreement about each class that the champion predicts, the lowest share first."""
        classes = [self._about(label) for label in {champion for champion, _ in self.answers}]
        return tuple(sorted(classes, key=lambda part: (part.agreed / part.answers, -part.answers, part.label)))

    def _about(self, label: str) -> ClassAgreement:
        counts = Counter({other: number for (own, other), number in self.answers.items() if own == label})
        agreed = counts.pop(label, 0)
        instead = min(counts, key=lambda other: (-counts[other], other), default="")
        return ClassAgreement(label, counts.total() + agreed, agreed, instead)

    def summarize(self) -> LiveDisagreement:
        """Return the figures that the gate and a person look at, with the classes on which the two differ most."""
        classes = (
            ClassDisagreement(part.label, part.answers, part.answers - part.agreed, part.instead)
            for part in self.by_class()
            if part.agreed < part.answers
        )
        most = sorted(classes, key=lambda part: (-part.differing, part.label))
        return LiveDisagreement(self.total, self.total - self.agreed, self.both_sure_different, tuple(most))

    def to_dict(self, champion: Mapping[str, Any], challenger: Mapping[str, Any]) -> dict[str, Any]:
        """Return the comparison as JSON can hold it.

        Args:
            champion: Names the champion.
            challenger: Names the challenger.

        Returns:
            Both names, the counts, the agreement by class, and the pictures on which the two differ.
        """
        return {
            "champion": dict(champion),
            "challenger": dict(challenger),
            "answers": self.total,
            "agreed": self.agreed,
            "disagreement": self.disagreement,
            "both_sure_different": self.both_sure_different,
            "classes": [
                {"label": part.label, "answers": part.answers, "agreed": part.agreed, "instead": part.instead}
                for part in self.by_class()
            ],
            "pairs": [[*labels, number] for labels, number in sorted(self.answers.items())],
            "disputed": [picture._asdict() for picture in sorted(self.disputed.values(), reverse=True)],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Agreement":
        """Build a comparison again from what ``to_dict`` made of it; raise KeyError or TypeError where it is none."""
        answers = Counter({(champion, challenger): int(number) for champion, challenger, number in plain["pairs"]})
        disputed = [DisputedPicture(**picture) for picture in plain["disputed"]]
        return cls(answers, int(plain["both_sure_different"]), {picture.image: picture for picture in disputed})

    def __str__(self) -> str:
        """Say how often the two agree, and about which class they differ most."""
        if not self.total:
            return "no live picture was answered by both models yet"
        worst = self.by_class()[0]
        differ = f", least about {worst.label}, which the challenger most often calls {worst.instead}"
        return (
            f"champion and challenger agree on {self.agreed:,} of {self.total:,} live answers"
            f"{differ if worst.instead else ''}; both are sure and differ on {self.both_sure_different:,}"
        )

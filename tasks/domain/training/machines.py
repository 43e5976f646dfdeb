"""Machines that compute features, told apart by the bits that they give for the same reference pictures."""

from dataclasses import asdict, dataclass

_SHORT = 12


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that proved that it computes the same features twice.

    Attributes:
        node: Its name in its network.
        processor: The name of its processor.
        instructions: The instruction sets of the processor that computing can use.
        engine: What computed the features, with its version.
        reference: The hash of the features of the reference pictures, which alone says whether two machines are alike.
    """

    node: str
    processor: str
    instructions: str
    engine: str
    reference: str

    def to_dict(self) -> dict[str, str]:
        """Return the machine as values that JSON can hold."""
        return asdict(self)

    def __str__(self) -> str:
        """Name the machine, its processor and the instructions that it computes with."""
        return f"{self.node} ({self.processor}, {self.instructions}, {self.engine})"


def describe_unlike(machine: Machine, first: Machine, backbone: str) -> str:
    """Describe why a machine may not add to the features that another kind of machine computed.

    Args:
        machine: The machine at hand.
        first: The machine whose features the store holds.
        backbone: The fingerprint of the backbone.

    Returns:
        Two sentences: what differs, and what to do.
    """
    return (
        f"The machine {machine} gives other bits for the three reference pictures than {first}, which began the "
        f"features of backbone {backbone[:_SHORT]}: the same images would have features of two kinds. Run on a machine "
        "of that kind, or set scale.unlike to separate, which embeds all images anew and keeps both kinds apart."
    )

"""Names of the events that the service and whoever watches for it send, and of the resource that they are about."""

#: Two days of live photographs differ from the test images; a day's do not, or not beyond chance.
DRIFTED, STEADY = "pedigree.drifted", "pedigree.steady"
#: Live photographs have drifted, and nobody has labelled new ones.
PHOTOGRAPHS_WANTED = "pedigree.photographs-wanted"
#: A champion failed its check, and does not serve.
SWAP_REFUSED = "pedigree.swap-refused"
#: What the ids of services begin with.
SERVICE = "pedigree.service."


def name_service(model: str) -> str:
    """Return the id of the resource that is the service of a model, given the model's registered name."""
    return f"{SERVICE}{model}"

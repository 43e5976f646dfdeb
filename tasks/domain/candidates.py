"""The few settings that a search tries."""

from itertools import product

from configs.schema import Training

# The settings' own values come first, so that they win a tie.
_RATES, _DECAYS = (1, 1 / 3, 3), (1, 10)
_FASTEST = 1.0


def candidates(settings: Training) -> tuple[Training, ...]:
    """List the settings to train with: only these, or with a search also slower, faster and with more decay."""
    if not settings.search:
        return (settings,)
    pairs = [
        (min(settings.learning_rate * rate, _FASTEST), settings.l2 * decay) for rate, decay in product(_RATES, _DECAYS)
    ]
    return tuple(settings.model_copy(update={"learning_rate": rate, "l2": l2}) for rate, l2 in dict.fromkeys(pairs))

"""What a server's refusal is worth: some are over a minute later, and most stay until a person does something."""

_LATER = {408, 425, 429}
_SERVER_FAULT = 500
# S3's names for "too much at once" and "not now", which some servers send with another status.
_BUSY = {
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
}


def passing(status: int, code: str = "") -> bool:
    """Tell whether the same request may succeed later: too many at once, a timeout, or a fault of the server itself."""
    return status >= _SERVER_FAULT or status in _LATER or code in _BUSY

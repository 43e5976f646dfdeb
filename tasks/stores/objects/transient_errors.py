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
# S3's names for what is wrong with whoever asks, or with the whole bucket: every other object would be refused as well.
_OF_EVERYTHING = {
    "AccountProblem",
    "AllAccessDisabled",
    "AuthFailure",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "ExpiredToken",
    "IllegalLocationConstraintException",
    "IncorrectEndpoint",
    "InvalidAccessKeyId",
    "InvalidBucketName",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidToken",
    "MissingSecurityHeader",
    "NoSuchBucket",
    "NotSignedUp",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnauthorizedAccess",
    "UserSuspended",
    "XAmzContentSHA256Mismatch",
}
_REFUSED, _LOGIN = range(400, 500), {401, 407}


def is_transient(status: int, code: str = "") -> bool:
    """Tell whether the same request may succeed later: too many at once, a timeout, or a fault of the server itself."""
    return status >= _SERVER_FAULT or status in _LATER or code in _BUSY


def concerns_one_object(status: int, code: str) -> bool:
    """Tell whether a refusal concerns the object that was asked for, and not whoever asks or the whole bucket.

    AccessDenied may be either: where it meets many objects, their share tells.
    """
    return status in _REFUSED and status not in _LOGIN and not is_transient(status, code) and code not in _OF_EVERYTHING

"""Transient errors: some refusals of a server are over in a minute, and most last until a person does something."""

_LATER = {408, 425, 429}
_SERVER_FAULT = 500
# S3's codes for too many requests and for a busy server, which some servers send with another status.
_BUSY = {
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
}
# S3's codes for errors of the credentials or the whole bucket: every other object would be refused as well.
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
    """Check whether the same request may succeed later.

    Args:
        status: The HTTP status.
        code: S3's error code.

    Returns:
        True for too many requests, a timeout, or a fault of the server itself.
    """
    return status >= _SERVER_FAULT or status in _LATER or code in _BUSY


def concerns_one_object(status: int, code: str) -> bool:
    """Check whether a refusal concerns one object, rather than the credentials or the whole bucket.

    Args:
        status: The HTTP status.
        code: S3's error code.

    Returns:
        True where it concerns the object. AccessDenied counts so, although it may be either.
    """
    return status in _REFUSED and status not in _LOGIN and not is_transient(status, code) and code not in _OF_EVERYTHING

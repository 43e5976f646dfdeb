"""Secrets in addresses: refused where settings hold them, and never shown where the environment does."""

import re
from urllib.parse import parse_qsl

# Names of parameters whose value opens a door: what signed addresses, databases and web services call them.
_SECRET = re.compile(
    r"(.*[-_.])?(password|passwd|passphrase|pwd|pass|secret|token|signature|sig|credentials?|api-?key|key|auth|code)"
    r"|sslpassword|apikey|accesstoken|(aws)?accesskey(id)?|clientsecret",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"(?<=[?&;#])([^=&;#\s]+)=([^&;#\s'\"]+)")
_LOGIN = re.compile(r"(?<=://)([^\s@'\"?#/]*|[^\s@'\"?#/:]+:[^\s@'\"]*)@")
_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")
# Before the host of any of these stands a key or a token; a database's user alone is no secret.
_BELONGS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "smtp": "set notify.smtp_user and PEDIGREE_SMTP_PASSWORD",
    "http": "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
}
_SAME = {"https": "http", "smtps": "smtp", "s3a": "s3", "s3n": "s3"}
_DATABASE = "set PGPASSWORD or write ~/.pgpass"
_ELSEWHERE = "give it to the server that needs it, in its environment"


def secret_in(address: str) -> str:
    """Say where the secret of this address belongs; nothing where it holds none, or is a path."""
    scheme, colon, rest = address.strip().partition("://")
    kind = _SAME.get(scheme.lower(), scheme.lower()).partition("+")[0]
    host, parameters = re.split(r"[/?#]", rest, maxsplit=1)[0], "&".join(re.split(r"[?#]", rest)[1:])
    login, _, server = host.rpartition("@")
    secret = bool(login) if kind in _BELONGS else bool(login.partition(":")[2])
    # A key with a slash ends the host too early; what stands behind its colon is no port then.
    secret |= not _PORT.fullmatch(server) and "@" in rest
    secret |= kind == "s3" and ":" in server and not server.startswith("arn:")
    secret |= any(_SECRET.fullmatch(name) for name, _ in parse_qsl(parameters.replace(";", "&")))
    if not (colon and secret):
        return ""
    return _DATABASE if kind.startswith("postgres") else _BELONGS.get(kind, _ELSEWHERE)


def shown(text: str) -> str:
    """Write a text without the logins and the secret parameters of the addresses in it."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(
        lambda match: f"{match[1]}=…" if _SECRET.fullmatch(match[1]) else match[0], _LOGIN.sub(_without_password, text)
    )


def _without_password(login: re.Match[str]) -> str:
    name, colon, _ = login[1].partition(":")
    return f"{name}:…@" if colon else "…@"

r"""Untrusted text: class names, keys and reasons are escaped, so that they are text everywhere and do nothing there.

A class name may clear a screen, reverse a line or become a picture that reports who looks. Control, format and other
invisible characters are therefore shown, as ``\x1b`` and ``\u202e``, and Markdown's signs are escaped. Escaping twice
changes nothing more. It cannot be undone, since a backslash stays as it is: ``--json`` has the exact text.
"""

import json
import re
from collections.abc import Callable
from unicodedata import category
from urllib.parse import parse_qsl

_JOINERS = "\u200c\u200d"
# Number signs of Arabic, Syriac and Kaithi: format characters by Unicode, but visible.
_SEEN = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
# Invisible letters and marks: Hangul fillers, Khmer's inherent vowels, the grapheme joiner, Mongolian selectors.
_UNSEEN = set("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u180b\u180c\u180d\u180f\u2065\u2800")
_HIDING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Scripts and emoji that use joiners begin here; Latin, Greek and Cyrillic come before.
_FIRST_JOINED = "\u0590"
# Signs that begin a picture, a link, emphasis, code, HTML, an entity or a cell; that make a bare address a link;
# or that make a line a list, a heading or a rule.
_MARKDOWN = re.compile(r"""[][\\`*_()<>|!~&#]|:(?=//)|(?<=www)\.|@|\A[-+=]|(?<=\d)[.](?=\s|\Z)""", re.IGNORECASE)
_BYTE, _TWO_BYTES = 0xFF, 0xFFFF


class Markdown(str):
    """Text that is Markdown already and is not escaped again."""

    __slots__ = ()


def visible(text: object) -> str:
    """Return any text as one line with invisible characters escaped, for screens, logs, tags and sentences."""
    return _shown(str(text), "", _escaped)


def visible_lines(text: object) -> str:
    """Return any text with invisible characters escaped, but for the ends of its lines."""
    return _shown(str(text), "\n", _escaped)


def markdown(text: object) -> Markdown:
    """Return any text escaped for Markdown, so that it makes no link, picture, table, list or HTML."""
    if isinstance(text, Markdown):
        return text
    escaped = _MARKDOWN.sub(r"\\\g<0>", visible(text))
    # Space at either end would be cut off, or make a block of code.
    inner = escaped.strip()
    start = len(escaped) - len(escaped.lstrip()) if inner else len(escaped)
    return Markdown(f"{_spaces(escaped[:start])}{inner}{_spaces(escaped[start + len(inner) :])}")


def json_text(value: object) -> str:
    """Return a value as JSON in which invisible characters are escaped; it means exactly the same."""
    return _shown(json.dumps(value, ensure_ascii=False), "", lambda letter: json.dumps(letter)[1:-1])


def _spaces(text: str) -> str:
    return "".join(f"&#{ord(letter)};" for letter in text)


def _shown(text: str, allowed: str, escape: Callable[[str], str]) -> str:
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    for position, letter in enumerate(text):
        # A letter that was escaped is no neighbour any more.
        before = shown[-1] if shown and len(shown[-1]) == 1 else ""
        after = text[position + 1 : position + 2]
        shown.append(letter if letter in allowed or _is_seen(letter, before, after) else escape(letter))
    return "".join(shown)


def _is_seen(letter: str, before: str, after: str) -> bool:
    """Return whether a character is visible between its neighbours.

    Args:
        letter: The character.
        before: The character before it; empty where there is none or it was escaped.
        after: The character after it; empty at the end.

    Returns:
        Whether it may be shown as it is.
    """
    if letter in _JOINERS:
        return _is_joined(before) and _is_joined(after) and not _selects(after)
    if _selects(letter):
        # One selector chooses how a letter is drawn; a row of them may carry a hidden message.
        return bool(before) and not before.isspace() and not _selects(before) and before not in _JOINERS
    return letter in _SEEN or (category(letter) not in _HIDING and letter not in _UNSEEN)


def _is_joined(letter: str) -> bool:
    return letter > _FIRST_JOINED and letter not in _UNSEEN and category(letter) in {"Lo", "Lm", "Mn", "Mc", "So", "Sk"}


def _selects(letter: str) -> bool:
    return "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"


def _escaped(letter: str) -> str:
    """Return a character as an escape sequence, as Python writes it."""
    named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
    number = ord(letter)
    if number <= _BYTE:
        return named.get(letter, rf"\x{number:02x}")
    return rf"\u{number:04x}" if number <= _TWO_BYTES else rf"\U{number:08x}"


# Names of parameters whose value is a secret in signed addresses, databases and web services.
_SECRET = re.compile(
    r"(.*[-_.])?(password|passwd|passphrase|pwd|pass|secret|token|signature|sig|credentials?|api-?key|key|auth|code)"
    r"|sslpassword|apikey|accesstoken|(aws)?accesskey(id)?|clientsecret",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"(?<=[?&;#])([^=&;#\s]+)=([^&;#\s'\"]+)")
_LOGIN = re.compile(r"(?<=://)([^\s@'\"?#/]*|[^\s@'\"?#/:]+:[^\s@'\"]*)@")
_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")
# Any login in an address of these is a secret; of other addresses, such as a database's, only one with a password.
_BELONGS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "smtp": "set notify.smtp_user and PEDIGREE_SMTP_PASSWORD",
    "http": "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
}
_SAME = {"https": "http", "smtps": "smtp", "s3a": "s3", "s3n": "s3"}
_DATABASE = "set PGPASSWORD or write ~/.pgpass"
_ELSEWHERE = "give it to the server that needs it, in its environment"


def find_secret(address: str) -> str:
    """Return advice where the secret of this address belongs; empty where it holds none, or is a path."""
    scheme, colon, rest = address.strip().partition("://")
    kind = _SAME.get(scheme.lower(), scheme.lower()).partition("+")[0]
    host, parameters = re.split(r"[/?#]", rest, maxsplit=1)[0], "&".join(re.split(r"[?#]", rest)[1:])
    login, _, server = host.rpartition("@")
    secret = bool(login) if kind in _BELONGS else bool(login.partition(":")[2])
    # A key that contains a slash ends the host too early; what follows its colon is no port then.
    secret |= not _PORT.fullmatch(server) and "@" in rest
    secret |= kind == "s3" and ":" in server and not server.startswith("arn:")
    secret |= any(_SECRET.fullmatch(name) for name, _ in parse_qsl(parameters.replace(";", "&")))
    if not (colon and secret):
        return ""
    return _DATABASE if kind.startswith("postgres") else _BELONGS.get(kind, _ELSEWHERE)


def shown(text: str) -> str:
    """Return a text without the passwords and the secret parameters of the addresses in it."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(
        lambda match: f"{match[1]}=…" if _SECRET.fullmatch(match[1]) else match[0], _LOGIN.sub(_without_password, text)
    )


def _without_password(login: re.Match[str]) -> str:
    name, colon, _ = login[1].partition(":")
    return f"{name}:…@" if colon else "…@"

"""Access: who may ask the service; keys come from the environment, and without one only this machine is let in."""

import hashlib
import hmac
import ipaddress
from base64 import b64decode
from collections.abc import Mapping, Sequence
from contextlib import suppress

from configs.environment import secret
from configs.errors import SettingsError
from tasks.domain.serving.problems import ProblemKind, ServiceProblemError
from tasks.service.explaining import TRAINING_ADDRESS

#: The environment variable that holds the keys, with spaces or commas between them.
KEY_VARIABLE = "PEDIGREE_SERVE_KEY"
_SHORTEST = 16
# What a load balancer asks; it says no more than yes or no.
OPEN = {"/live", "/ready", "/ping"}
# The page's own files hold nothing that is anybody's.
OPEN_FOLDER = "/static/"
#: The addresses of the page for people, whose browsers ask them for a password.
FOR_PEOPLE = {"/", "/feedback"}


def read_keys() -> tuple[str, ...]:
    """Return the keys of the environment.

    Returns:
        The keys; none means that only this machine may ask.

    Raises:
        SettingsError: A key is so short that it can be guessed.
    """
    keys = tuple(secret(KEY_VARIABLE).replace(",", " ").split())
    if any(len(key) < _SHORTEST for key in keys):
        raise SettingsError(
            f"{KEY_VARIABLE} holds a key of fewer than {_SHORTEST} characters: make one by openssl rand -hex 32."
        )
    return keys


def is_loopback(host: str) -> bool:
    """Return whether an address to listen on can be reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_address(host: str, keys: Sequence[str]) -> None:
    """Check that a service that others can reach asks for a key.

    Args:
        host: The address to listen on.
        keys: The keys.

    Raises:
        SettingsError: There is none.
    """
    if not keys and not is_loopback(host):
        raise SettingsError(
            f"serve.host is {host}, which other machines reach, and there is no key: set {KEY_VARIABLE}, or listen on "
            "127.0.0.1."
        )


class Access:
    """Lets requests in, or says why not."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Keep only hashes of the keys, which are all of one length.

        Args:
            keys: The keys; none lets everybody in who asks this machine by its own name.
        """
        self._hashes = [_hash(key) for key in keys]

    @property
    def has_keys(self) -> bool:
        """Return whether a key is asked for."""
        return bool(self._hashes)

    def check(self, path: str, headers: Mapping[str, str]) -> None:
        """Check whether a request may be answered.

        Args:
            path: Its path.
            headers: Its headers, by names in small letters.

        Raises:
            ServiceProblemError: It has no key or a wrong one; or, where there is none, it came by another name than
                this machine's, as a page of another site does that has its name lead here.
        """
        if not self._hashes:
            if not is_loopback(read_host(headers.get("host", ""))):
                raise ServiceProblemError(ProblemKind.WRONG_HOST, "Without a key it answers as localhost only.")
        elif not (
            _is_open(path) or self.knows(headers) or (_is_for_people(path) and self._matches(_password(headers)))
        ):
            raise ServiceProblemError(
                ProblemKind.NO_KEY,
                "Send the key as Authorization: Bearer KEY, or as X-API-Key; on the page, as the password of any name.",
            )

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Return whether the headers hold a key; it takes as long whichever part of it is wrong.

        Args:
            headers: The headers, by names in small letters.

        Returns:
            Whether one of the keys is there; True where none is asked for.
        """
        scheme, _, word = headers.get("authorization", "").partition(" ")
        shown = word.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        return self._matches(shown) or not self._hashes

    def _matches(self, shown: str) -> bool:
        matches = [hmac.compare_digest(_hash(shown), key_hash) for key_hash in self._hashes]
        return any(matches)


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(OPEN_FOLDER)


def _is_for_people(path: str) -> bool:
    """Return whether browsers ask for an address: the page, and the photographs that it shows."""
    return path in FOR_PEOPLE or path.startswith(TRAINING_ADDRESS)


def _password(headers: Mapping[str, str]) -> str:
    """Return the password that a browser asked for; empty where there is none."""
    scheme, _, word = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    with suppress(ValueError):
        return b64decode(word, validate=True).decode().partition(":")[2]
    return ""


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def read_host(header: str) -> str:
    """Return the name in a Host header, or in an address, without its port."""
    return header[1:].partition("]")[0] if header.startswith("[") else header.partition(":")[0]

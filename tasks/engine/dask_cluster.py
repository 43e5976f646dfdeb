"""The way to a Dask cluster: one that somebody runs, reached over TLS, or workers of this machine."""

import ipaddress
import logging
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from configs.cores import count_cores
from configs.errors import PedigreeError, ServiceUnavailableError, SettingsError
from configs.sections import TLS_FILES, Scale
from configs.visible_text import shown

if TYPE_CHECKING:
    from distributed import Client, Security

# Seconds until a scheduler has answered.
_ANSWER = 30
_UNTRUSTED = re.compile(r"certificate.verify.failed|unknown.ca|bad.certificate", re.IGNORECASE)
_INSTALL = "pip install 'pedigree[dask]', or set scale.engine to local"


def connect(scale: Scale, tell: Callable[[str], None]) -> "Client":
    """Connect to the scheduler that the settings name, or start one with workers on this machine.

    Args:
        scale: Names the scheduler, the files of TLS, and the number of workers.
        tell: Takes a warning, where whoever reaches the scheduler could run code.

    Returns:
        A client of Dask, through which work is handed out.

    Raises:
        SettingsError: Dask is not installed, or a file of TLS cannot be read.
        ServiceUnavailableError: No scheduler answers.
        PedigreeError: It answers with a certificate that is not trusted.
    """
    _prepare_dask()
    if not scale.address:
        return _start_workers(scale)
    if not scale.encrypted and not is_this_machine(scale.scheduler):
        tell(
            f"scale.address {scale.address} is reached without TLS: whoever reaches that scheduler runs code on every "
            "worker, with its rights; docs/how-to/scale.md says how to close it"
        )
    from distributed import Client

    with _connection_errors(scale):
        return Client(
            scale.scheduler, timeout=min(_ANSWER, scale.wait), security=_security(scale), set_as_default=False
        )


def _prepare_dask() -> None:
    """Import Dask so that it writes nothing to the terminal: what went wrong is said in a sentence."""
    try:
        import dask
    except ModuleNotFoundError:
        raise SettingsError(f"scale.engine is dask, and Dask is not installed here: {_INSTALL}.") from None
    # Dask sets its loggers up by this as soon as distributed is imported.
    dask.config.set({"logging": {"distributed": "critical", "distributed.client": "critical"}})
    try:
        import distributed  # noqa: F401
    except ModuleNotFoundError:
        raise SettingsError(f"scale.engine is dask, and Dask's distributed is not installed: {_INSTALL}.") from None


def _start_workers(scale: Scale) -> "Client":
    """Start a scheduler and workers of one thread each, which end with this process."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=scale.workers or count_cores(),
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        security=True,
        silence_logs=logging.CRITICAL,
    )
    return Client(cluster, set_as_default=False)


def _security(scale: Scale) -> "Security | None":
    """Return the files of TLS as Dask takes them; raise SettingsError where one of them cannot be read."""
    from distributed import Security

    if not scale.encrypted:
        return None
    for name in TLS_FILES:
        try:
            Path(getattr(scale, name)).open("rb").close()
        except OSError as error:
            path = shown(getattr(scale, name))
            raise SettingsError(f"scale.{name} names {path}, which cannot be read ({error.strerror}).") from None
    return Security(
        tls_ca_file=scale.tls_ca,
        tls_client_cert=scale.tls_certificate,
        tls_client_key=scale.tls_key,
        require_encryption=True,
    )


@contextmanager
def _connection_errors(scale: Scale) -> Iterator[None]:
    """Say in one sentence why a scheduler cannot be reached."""
    where = f"The Dask scheduler at {shown(scale.scheduler)}"
    try:
        yield
    except ssl.SSLError as error:
        raise SettingsError(f"The files that scale names for TLS are none, or do not fit ({error.reason}).") from None
    except (OSError, TypeError, ValueError) as error:
        words = " ".join(map(str, _causes(error)))
        if _UNTRUSTED.search(words):
            raise PedigreeError(
                f"{where} and this machine do not trust each other's certificates: scale.tls_ca must name the "
                "authority that signed both."
            ) from None
        refused = ", or refuses the certificate of this machine" if scale.encrypted else ""
        raise ServiceUnavailableError(
            f"{where} does not answer{refused}: start it, or correct what scale says of it."
        ) from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_this_machine(address: str) -> bool:
    """Return whether an address can be reached from this machine alone."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

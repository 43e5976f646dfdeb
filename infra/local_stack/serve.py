"""Prefect's or MLflow's server behind the guard: ``python -m infra.local_stack.serve NAME DESCRIPTOR …``.

The descriptor is that of a socket which listens already, so that nobody else can take the port while a server starts.
"""

import os
import socket
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from configs.credentials import read_password
from configs.environment import home, secret
from configs.errors import PedigreeError
from infra.local_stack.guard import App, Guard
from infra.local_stack.processes import restrict_new_files

if TYPE_CHECKING:
    from collections.abc import Callable


def _prefect() -> App:
    from prefect.server.api.server import create_app

    return create_app(final=True)


def _mlflow(database: str, files: str) -> App:
    """Create MLflow's app as ``mlflow server`` does, which cannot put a guard before it."""
    from mlflow.server import constants

    # The app reads its configuration from the environment when it is imported.
    os.environ |= {
        constants.BACKEND_STORE_URI_ENV_VAR: database,
        constants.REGISTRY_STORE_URI_ENV_VAR: database,
        constants.ARTIFACT_ROOT_ENV_VAR: "mlflow-artifacts:/",
        constants.ARTIFACTS_DESTINATION_ENV_VAR: files,
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
    }
    from mlflow.server import fastapi_app
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(database, database, "mlflow-artifacts:/")
    served: App = fastapi_app.app
    return served


def main() -> None:
    """Serve what the command line names until the process is stopped.

    Raises:
        PedigreeError: There is no password, so that the server would be open to everybody.
    """
    restrict_new_files()
    import uvicorn

    name, descriptor, *places = sys.argv[1:]
    listener = socket.socket(fileno=int(descriptor))
    apps: dict[str, Callable[..., App]] = {"prefect": _prefect, "mlflow": _mlflow}
    word, guarded_by_itself = read_password(home()), secret("PREFECT_SERVER_API_AUTH_STRING")
    if not (word or guarded_by_itself):
        raise PedigreeError("The servers of this home have no password: start them by pedigree up.")
    app = apps[name](*places)
    # Behind a proxy the pages may call the API at an address that the owner chose.
    api = urlsplit(secret("PREFECT_SERVER_UI_API_URL"))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    guarded = Guard(app, address, word, *([f"{api.scheme}://{api.netloc}"] if api.netloc else []))
    uvicorn.Server(uvicorn.Config(guarded, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()

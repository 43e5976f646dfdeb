"""The service behind the local stack's own socket: ``python -m infra.local_stack.serve_champion DESCRIPTOR FILE``.

The descriptor is that of a socket which listens already, and the file says whose champion answers.
"""

import socket
import sys
from pathlib import Path

from configs.environment import prepare_environment
from infra.local_stack.processes import restrict_new_files
from infra.local_stack.service import Served


def main() -> None:
    """Answer photographs until the process is stopped."""
    restrict_new_files()
    prepare_environment()
    descriptor, file = sys.argv[1:]
    served = Served.model_validate_json(Path(file).read_text(encoding="utf-8"))
    from tasks.service.live_records import keep_pictures, live_records
    from tasks.service.models.store_models import StoreModels
    from tasks.service.server import open_service
    from tasks.stores.store import Store

    models = StoreModels(Store(served.store), served.tracking.model)
    listener = socket.socket(fileno=int(descriptor))
    records = keep_pictures(live_records(served.tracking), served.inbox, (served.source, served.store))
    service = open_service(models, served.serve, listener, records)
    service.run(lambda _address: None)


if __name__ == "__main__":
    main()

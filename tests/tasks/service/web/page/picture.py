"""The documentation's picture of the page: ``python -m tests.tasks.service.web.page.picture STORE FILE`` takes it.

STORE is the demo's, whose champion is asked about a drawn dog that no run of the demo has seen.
"""

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from PIL import Image

from configs.servers import Serve
from tasks.domain.synthetic.drawn_dogs import draw
from tasks.service.models.store_models import StoreModels
from tasks.service.server import Records, Service, open_service
from tasks.stores.store import Store
from tests.browser import open_page
from tests.servers import wait_until

_SIZE = (1280, 900)


def draw_page(store: str, file: Path) -> None:
    """Write a picture of the page with an answer, at a desk and in light colours.

    Args:
        store: The address of the demo's store.
        file: The picture.
    """
    sink = io.BytesIO()
    draw("poodle", "white", 1000, side=768).save(sink, "PNG")
    with _serve(store) as service, open_page(service.address, *_SIZE, color_scheme="light") as page:
        dog = {"name": "dog.png", "mimeType": "image/png", "buffer": sink.getvalue()}
        page.get_by_label("Choose photographs").set_input_files(dog)  # type: ignore[arg-type]
        page.get_by_role("img", name="The photograph").wait_for()
        page.wait_for_load_state("networkidle")
        picture = Image.open(io.BytesIO(page.screenshot(animations="disabled", full_page=True)))
    picture.convert("RGB").quantize(256).save(file, "PNG", optimize=True)


@contextmanager
def _serve(store: str) -> Iterator[Service]:
    section = Serve(port=0, show_training=True)
    service = open_service(StoreModels(Store(store), "dogs"), section, records=Records(find_pages=_find_pages))
    thread = Thread(target=service.run, args=(lambda _address: None,))
    thread.start()
    state = service.state
    try:
        wait_until(lambda: state.explainer.knowledge and state.pages.pages_of(state.model().identity), 60, "a model")
        yield service
    finally:
        service.stop()
        thread.join()


def _find_pages(run: str) -> Mapping[str, str]:
    return dict.fromkeys(("model card", "evaluation report"), f"http://127.0.0.1:5000/#/runs/{run}")


if __name__ == "__main__":
    with TemporaryDirectory() as home:
        os.environ["PEDIGREE_HOME"] = home
        draw_page(sys.argv[1], Path(sys.argv[2]))

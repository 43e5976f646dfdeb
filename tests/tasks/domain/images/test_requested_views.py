"""Requested views are the same in columns as in dictionaries."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.images.requested_views import RequestedViews

VIEWS = ["identity", "mirror", "centre"]


@given(st.dictionaries(st.text("ab", min_size=1), st.lists(st.sampled_from(VIEWS), unique=True)), st.randoms())
def test_what_is_lacking_is_told_of_each_image(requested: dict[str, list[str]], chance: Random) -> None:
    """Whatever is requested and lacking, an image is listed with those of its views that lack, in their order."""
    columns = RequestedViews.of(requested)
    assert columns.views() == sorted({view for views in requested.values() for view in views})
    assert {image: list(views) for image, views in columns.items()} == requested
    lacking = {view: np.array([chance.random() < 0.5 for _ in requested], np.bool_) for view in columns.views()}
    for view in columns.views():
        wanted = [number for number, views in enumerate(requested.values()) if view in views]
        assert columns.rows_with(view).tolist() == wanted
        lacking[view][np.setdiff1d(np.arange(len(requested)), wanted)] = False
    expected = {
        image: tuple(view for view in views if lacking[view][number])
        for number, (image, views) in enumerate(requested.items())
    }
    selected = columns.select(lacking)
    assert selected == {image: views for image, views in expected.items() if views}
    assert list(selected) == [image for image, views in expected.items() if views]

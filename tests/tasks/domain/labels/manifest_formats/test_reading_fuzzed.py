"""The readers of manifests under changes at random: a bounded part of what tests/fuzz/manifests.py does for longer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.labels.manifest_formats.statements import ManifestOptions
from tests.fuzz.manifests import ODD, SEEDS, examine, mutant

plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(ODD))
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
options = st.builds(ManifestOptions, st.sampled_from(["", "breed", "label"]), must_label=st.booleans())
JSON = sorted(name for name, seed in SEEDS.items() if not isinstance(seed, str))


@pytest.mark.parametrize("first", range(0, 4000, 500))
def test_every_mutant_is_read_or_refused_in_a_sentence(first: int) -> None:
    """A manifest of any format, changed anyhow, comes to statements that can be kept or to one sentence."""
    for number in range(first, first + 500):
        assert examine(*mutant(number)) in {"read", "refused", "skipped rows"}, number


@pytest.mark.parametrize("name", JSON)
@given(data=st.data(), request=options)
def test_any_value_in_any_place_costs_at_most_the_manifest(
    name: str, data: st.DataObject, request: ManifestOptions
) -> None:
    """Whatever stands in one place of a record, the record is read, skipped or refused."""
    seed: Any = json.loads(json.dumps(SEEDS[name]))
    container: Any = data.draw(st.sampled_from(seed))
    key = data.draw(st.sampled_from(sorted(container)))
    while isinstance(container[key], dict | list) and container[key] and data.draw(st.booleans()):
        container = container[key]
        key = data.draw(st.sampled_from(sorted(container) if isinstance(container, dict) else range(len(container))))
    container[key] = data.draw(values)
    content = json.dumps(seed[0] if name == "coco.json" else seed).encode()
    assert examine(name, content, request)
    assert examine(name, "\n".join(map(json.dumps, seed)).encode(), request)


@pytest.mark.parametrize("name", sorted(SEEDS.keys() - set(JSON)))
@given(cells=st.lists(st.lists(st.text(alphabet='a",;\t\r\n 01\u2028\x85é'), max_size=5), max_size=4), request=options)
def test_any_cells_below_a_header_cost_at_most_the_manifest(
    name: str, cells: list[list[str]], request: ManifestOptions
) -> None:
    """Whatever fields stand below a format's header, quoted or not, the manifest is read or refused."""
    seed = SEEDS[name]
    assert isinstance(seed, str)
    separator = "\t" if name.endswith(".tsv") else ","
    assert examine(name, (seed + "\n".join(separator.join(row) for row in cells)).encode(), request)

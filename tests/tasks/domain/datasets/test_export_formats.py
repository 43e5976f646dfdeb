"""Names in a plain folder: safe on any disk, and reversible."""

import csv
import io
import string
from pathlib import PurePosixPath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.datasets.export_formats import file_name, folder_name, format_manifest_csv
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split

labels = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text('./\\ %:\0.mM"', min_size=1, max_size=4)
)


@given(labels)
def test_no_label_leaves_its_folder(label: str) -> None:
    """Any label becomes one ordinary part of a path, which is not hidden and not the manifest, and can be read back."""
    name = folder_name(label)
    assert PurePosixPath("out", name).parts == ("out", name)
    assert name not in {"", ".", ".."}
    assert not name.startswith(".")
    assert not name.endswith((".", " "))
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert name.lower() != "manifest.csv"
    assert len(name.encode()) <= 255
    assert "%~" in name or unquote(name) == label


long = st.one_of(st.text('%a🐶犬."', min_size=60, max_size=400), st.sampled_from([" " * 300, "%" * 100, "犬" * 100]))


@given(long, long)
def test_long_labels_keep_folders_of_their_own(first: str, second: str) -> None:
    """However long labels are, each has one stable folder, which fits on a disk, and no two share one."""
    assert (folder_name(first) == folder_name(second)) == (first == second)
    assert len(folder_name(first).encode()) <= 255
    assert folder_name(folder_name(first)) != folder_name(first) or "%" not in folder_name(first)


# What Windows keeps for its devices is no ordinary label, whatever its case.
devices = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
ordinary = st.text(string.ascii_letters + string.digits + "_- é犬", min_size=1).map(str.strip).filter(bool)


@given(ordinary.filter(lambda label: label.lower() not in devices))
def test_ordinary_labels_stay_as_they_are(label: str) -> None:
    """Letters of any language, digits, spaces, hyphens and underscores need no escape."""
    assert folder_name(label) == label


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("..", "%2E%2E"),
        (".hidden", "%2Ehidden"),
        ("a/b", "a%2Fb"),
        ("50%", "50%25"),
        ("nul\0", "nul%00"),
        ("end. ", "end.%20"),
        ("Manifest.csv", "%4Danifest.csv"),
        ("犬", "犬"),
        ("CON", "%43ON"),
        ("nul", "%6Eul"),
        ("Com1", "%43om1"),
        ("lpt9.txt", "%6Cpt9.txt"),
        ("aux .jpg", "%61ux .jpg"),
        ("COM²", "%43OM²"),
        ("conin$", "%63onin$"),
        ("console", "console"),
        ("com10", "com10"),
        ("a" * 255, "a" * 255),
        ("a" * 256, "a" * 237 + "%~b836e815e3c2961c"),
    ],
)
def test_what_is_escaped(label: str, name: str) -> None:
    """What a folder may not be called is percent-encoded, and nothing else."""
    assert folder_name(label) == name


@pytest.mark.parametrize(("form", "extension"), [("JPEG", "jpg"), ("MPO", "jpg"), ("TIFF", "tif"), ("AVIF", "avif")])
def test_extensions_follow_the_format(form: str, extension: str) -> None:
    """An image's extension is that of the format that it came in, whatever its key said."""
    assert file_name(Row("f00", "pug", Split.TRAIN, (), "pug/1.png"), form) == f"pug/f00.{extension}"


@given(st.lists(st.builds(Row, st.text("abc", min_size=3), labels, st.sampled_from(Split), st.just(()), labels)))
def test_a_manifest_reads_back(rows: list[Row]) -> None:
    """Whatever labels and keys hold, commas, quotes and line ends too, a CSV reader gets it back, sorted by image."""
    unique = {row.image: row for row in rows}
    text = format_manifest_csv(list(unique.values()), {image: f"x/{image}" for image in unique}).decode()
    result = [
        (item["image"], item["label"], item["split"], item["key"]) for item in csv.DictReader(io.StringIO(text, ""))
    ]
    assert result == [(image, row.label, row.split.value, row.key) for image, row in sorted(unique.items())]


def test_attributes_have_columns_of_their_own() -> None:
    """Every attribute is a column in sorted order, empty where it is not known, and none hides one of the others."""
    rows = [
        Row("b", "pug", Split.TEST, (("split", "odd"), ("coat", "white")), "k2"),
        Row("a", "pug", Split.TRAIN, (("light", "dim"),), "k1"),
    ]
    assert format_manifest_csv(rows, {"a": "pug/a.jpg", "b": "pug/b.jpg"}).decode() == (
        "image,file,label,split,coat,light,attribute:split,key\r\n"
        "a,pug/a.jpg,pug,train,,dim,,k1\r\n"
        "b,pug/b.jpg,pug,test,white,,odd,k2\r\n"
    )

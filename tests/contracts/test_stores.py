"""What the stores promise on a folder and on S3."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Assignment, Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.crops import PARTS_BYTES
from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.domain.images.near_duplicates import HASH_BYTES, METHOD
from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.ingestion.source_objects import Entry
from tasks.domain.labels.labelled_images import Conflict, LabelledImage, Labelling, LocatedImage
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tasks.stores.tables.snapshots import SnapshotStore
from tests.listings import in_columns

SOURCE = "s3://photos"


def entry(key: str, etag: str = "1") -> Entry:
    """Make an entry of a listing."""
    return Entry(key, etag, 10, "", "2026-11-01T00:00:00+00:00")


def located(store: SnapshotStore, source: str, moment: str = "") -> list[LocatedImage]:
    """Read the entries whose bytes are known, one by one."""
    return [LocatedImage(**row) for row in store.located(source, moment).to_pylist()]


def test_only_differences_between_listings_are_written(url: str) -> None:
    """A second look that sees the same writes nothing; new, replaced and gone objects count as changes."""
    store = Store(url).snapshots
    assert store.record(SOURCE, "monday", in_columns([entry("a"), entry("b")])) == 2
    assert store.record(SOURCE, "tuesday", in_columns([entry("a"), entry("b")])) == 0
    assert store.record(SOURCE, "wednesday", in_columns([entry("b", "2"), entry("c")])) == 3
    assert store.stored(SOURCE) == {"b": entry("b", "2"), "c": entry("c")}


def test_sources_do_not_mix(url: str) -> None:
    """What one source holds says nothing about another one in the same store."""
    store = Store(url).snapshots
    store.record(SOURCE, "monday", in_columns([entry("a")]))
    assert store.stored("s3://others") == {}


def test_an_object_is_pending_until_it_was_fetched_or_rejected(url: str) -> None:
    """Objects wait to be fetched until their bytes or their rejection are known; a replaced one waits again."""
    store = Store(url).snapshots
    store.record(SOURCE, "monday", in_columns([entry("a"), entry("b"), entry("c")]))
    store.add_contents(SOURCE, [(entry("a"), "image-a")])
    store.add_rejects(SOURCE, [(entry("b"), Rejection(Reason.DAMAGED, "cut short"))])
    assert list(store.pending(SOURCE)) == [entry("c")]
    assert located(store, SOURCE) == [LocatedImage("a", "image-a")]
    assert store.rejects(SOURCE) == {entry("b").identity: Rejection(Reason.DAMAGED, "cut short")}
    store.record(SOURCE, "tuesday", in_columns([entry("a", "2"), entry("b"), entry("c")]))
    assert list(store.pending(SOURCE)) == [entry("a", "2"), entry("c")]
    assert located(store, SOURCE) == []


def test_what_two_runs_at_once_found_out_counts_once(url: str) -> None:
    """An answer about an object that two runs wrote is one located object."""
    store = Store(url).snapshots
    store.record(SOURCE, "monday", in_columns([entry("a")]))
    for _ in range(2):
        store.add_contents(SOURCE, [(entry("a"), "image-a")])
    assert located(store, SOURCE) == [LocatedImage("a", "image-a")]


@pytest.mark.parametrize(
    ("format_number", "message"),
    [
        (5, r"newer Pedigree \(format 5, this one knows 2 to 4\): update Pedigree"),
        (1, r"older Pedigree \(format 1, this one knows 2 to 4\): name a new one"),
    ],
)
def test_a_store_of_another_format_is_refused(url: str, format_number: int, message: str) -> None:
    """A store says its format once; another one than this code knows is answered with what to do."""
    Store(url).check_format()
    Store(url).claim_format()
    Store(url).claim_format()
    open_bucket(url).remove("format.json")
    open_bucket(url).create("format.json", b'{"format": %d}' % format_number)
    with pytest.raises(PedigreeError, match=message):
        Store(url).claim_format()


def test_a_former_day_is_answered_from_what_was_listed_then(url: str) -> None:
    """As of a moment the source is what the last listing until then showed, whatever became of it since."""
    store = Store(url).snapshots
    store.record(SOURCE, "2026-11-01", in_columns([entry("a"), entry("b")]))
    store.record(SOURCE, "2026-11-03", in_columns([entry("b", "2"), entry("c")]))
    store.add_contents(SOURCE, [(entry("a"), "image-a"), (entry("b"), "image-b"), (entry("b", "2"), "image-b2")])
    assert store.first_listed(SOURCE) == "2026-11-01"
    assert located(store, SOURCE, "2026-11-02") == [LocatedImage("a", "image-a"), LocatedImage("b", "image-b")]
    assert list(store.pending(SOURCE, "2026-11-02")) == []
    assert located(store, SOURCE, "2026-11-04") == located(store, SOURCE) == [LocatedImage("b", "image-b2")]
    assert store.stored(SOURCE, "2026-10-31") == {}


def test_metadata_belongs_to_one_writing_of_an_object(url: str) -> None:
    """What was read beside an object is known for the very time that it was written, and not for a later one."""
    store = Store(url).snapshots
    store.add_metadata(SOURCE, [(entry("a"), {"label": "pug", "coat": "пёстрый"}), (entry("b"), {})])
    assert store.metadata(SOURCE) == {entry("a"): {"label": "pug", "coat": "пёстрый"}, entry("b"): {}}
    assert entry("a")._replace(modified="later") not in store.metadata(SOURCE)


def test_a_manifest_of_labels_is_kept_as_it_was_listed(url: str) -> None:
    """The bytes of a manifest come back under the entry that was listed, and under no other."""
    Store(url).label_manifests.write(SOURCE, entry("labels.csv"), b"key,label")
    assert Store(url).label_manifests.read(SOURCE, entry("labels.csv")) == b"key,label"
    assert Store(url).label_manifests.read(SOURCE, entry("labels.csv", "2")) is None


def test_images_come_back_as_they_came(url: str) -> None:
    """Image bytes come back in the order asked, and doubled appends do no harm."""
    store = Store(url).images
    measures = ImageProperties(brightness=0.25, contrast=0.5, sharpness=1e3, tone=1 / 3)
    contents = [bytes([number]) * 100 for number in range(5)]
    names = [sha256_of_bytes(data) for data in contents]
    images = [
        (ImageInfo(name, 10, 20, "JPEG", data[:32], measures), data) for name, data in zip(names, contents, strict=True)
    ]
    store.add(images)
    store.add(images[:2])
    assert store.stored() == {examined.image for examined, _ in images}
    assert list(store.read([names[3], names[0]])) == [(names[3], contents[3]), (names[0], contents[0])]
    assert store.hashes([names[1], "unknown"]) == {names[1]: bytes([1]) * 32}
    assert store.read_infos([names[1], "unknown"]) == {names[1]: images[1][0]}
    rows = store.perceptual_hashes(pa.array([names[2], names[1], "unknown"]))
    assert dict(zip(*rows.to_pydict().values(), strict=True)) == {names[1]: bytes([1]) * 32, names[2]: bytes([2]) * 32}
    assert rows["image"].to_pylist() == sorted(names[1:3])


def test_hashes_of_parts_come_back_and_older_images_have_none(url: str) -> None:
    """The hashes of an image's parts are read of those asked for, that of its middle of any, and some have neither."""
    store, measures = Store(url).images, ImageProperties(brightness=0.25, contrast=0.5, sharpness=1e3, tone=1 / 3)
    parts = bytes(PARTS_BYTES - HASH_BYTES) + b"m" * HASH_BYTES
    with_parts = ImageInfo("b2", 10, 20, "JPEG", bytes(32), measures, parts)
    store.add([(ImageInfo("a1", 10, 20, "JPEG", bytes(32), measures), b"a1"), (with_parts, b"b2")])
    assert store.middle_hashes(pa.array(["b2", "a1", "unknown"])).to_pylist() == [b"m" * HASH_BYTES, None, None]
    assert dict(pair for batch in store.parts(["b2", "a1"]) for pair in batch) == {"a1": b"", "b2": parts}


def test_images_that_an_older_pedigree_ingested_last_have_no_parts_yet(url: str) -> None:
    """A table without columns for parts, to which nothing was added since, reads as one whose images have none."""
    older = pa.schema([("image", pa.string()), (METHOD, pa.binary(HASH_BYTES))])
    Store(url).table("images", older).append([{"image": "a1", METHOD: bytes(HASH_BYTES)}])
    store = Store(url).images
    assert store.hashes(["a1"]) == {"a1": bytes(HASH_BYTES)}
    assert store.middle_hashes(pa.array(["a1"])).to_pylist() == [None]
    assert list(store.parts(["a1"])) == [[("a1", b"")]]


def test_a_forgotten_image_is_gone_and_noted(url: str) -> None:
    """An image that is removed is in no table any more, others stay, and a note says when it was removed."""
    measures = ImageProperties(brightness=0.25, contrast=0.5, sharpness=1e3, tone=1 / 3)
    Store(url).images.add(
        [(ImageInfo(name, 10, 20, "JPEG", bytes(32), measures), name.encode()) for name in ("a1", "b2")]
    )
    for net in ("one", "two"):
        Store(url).features(net, 3).add(["a1", "b2"], np.ones((2, 3), np.float32))
    assert Store(url).tombstones.write("a1", "2026-11-23T10:00:00+00:00")
    assert not Store(url).tombstones.write("a1", "2026-11-24T10:00:00+00:00")
    assert (Store(url).images.remove("a1"), Store(url).remove_features("a1")) == (True, 2)
    assert Store(url).images.stored() == {"b2"}
    assert Store(url).features("two", 3).stored() == {"b2"}
    assert Store(url).features("two", 3).read(["b2"]).tolist() == [[1, 1, 1]]
    assert Store(url).tombstones.read() == {"a1"}
    sentence = Store(url).tombstones.describe("f" * 64, ["a1", "b2"])
    assert sentence.startswith(f"Version {'f' * 12} used an image that was removed for good (a1 on 2026-11-23)")
    assert Store(url).tombstones.describe("f" * 64, ["b2"]) == ""


def test_the_first_split_stands(url: str) -> None:
    """Whoever writes an image's split first decides it; who was slower decides again, knowing what stands."""
    first, second = {"a": Assignment("a", Split.TRAIN)}, {"b": Assignment("a", Split.TRAIN)}
    offered: list[Mapping[str, Assignment]] = []

    def slower(assignments: Mapping[str, Assignment]) -> Mapping[str, Assignment]:
        offered.append(dict(assignments))
        if not assignments:
            Store(url).splits.settle(lambda assignments: {} if assignments else first)
            return {"a": Assignment("a", Split.TEST), "b": Assignment("b", Split.TEST)}
        return {} if "b" in assignments else second

    assert Store(url).splits.settle(slower) == Store(url).splits.stored() == first | second
    assert offered == [{}, first, first | second]


def test_features_come_back_bit_for_bit(url: str) -> None:
    """Features come back in the order asked, with the very bits that were written, under their backbone alone."""
    vectors = np.random.default_rng(0).normal(size=(150, 3)).astype(np.float32)
    store = Store(url).features("net", 3)
    names = [f"image-{number}" for number in range(150)]
    store.add(names[:100], vectors[:100])
    store.add(names[50:], vectors[50:])
    assert store.stored() == set(names)
    assert store.read(names[::-1]).tobytes() == vectors[::-1].tobytes()
    assert Store(url).features("other-net", 3).stored() == set()


def test_views_of_an_image_are_kept_apart(url: str) -> None:
    """An image is known and read in each view by itself, and several views come one after the other."""
    store = Store(url).features("net", 2)
    store.add(["a", "b", "a"], np.array([[1, 1], [2, 2], [3, 3]], np.float32), ["identity", "identity", "mirror"])
    assert (store.stored(), store.stored("mirror")) == ({"a", "b"}, {"a"})
    assert store.read(["a"], "mirror").tolist() == [[3, 3]]
    assert store.read_views(["a"], ["mirror", "identity"]).tolist() == [[3, 3], [1, 1]]


def test_a_backbone_from_outside_is_remembered(url: str) -> None:
    """What came once is found under the name of what decided it, and only while the store holds the backbone."""
    assert Store(url).backbones.remembered("imagenet at 299") is None
    Store(url).backbones.remember("imagenet at 299", {"fingerprint": "net"})
    assert Store(url).backbones.remembered("imagenet at 299") is None
    Store(url).backbones.write("net", b"weights", {"cut": "mixed10"})
    assert Store(url).backbones.remembered("imagenet at 299") == "net"
    assert [entry.key for entry in open_bucket(url).entries("backbones/net")] == [
        "backbones/net.json",
        "backbones/net.npz",
    ]


def test_labellings_and_manifests_come_back(url: str) -> None:
    """A labelling and a manifest are read back as they were written, under the hash of their content."""
    labelling = Labelling(
        labelled=(
            LabelledImage("p/1", "a", "пудель", (("coat", "white"),), (("coat", "manifest"), ("label", "folder"))),
        ),
        unlabelled=(LocatedImage("2", "b"),),
        conflicts=(Conflict("c", (("p", "p/3"), ("q", "q/3"))),),
        left_out=(LabelledImage("w/1", "d", "wolf", (), (("label", "folder"),)),),
        missing=("nowhere.jpg",),
    )
    name = Store(url).labellings.write(labelling)
    assert Store(url).labellings.read(name) == labelling
    assert Store(url).labellings.write(labelling) == name
    rows = [Row("b", "p", Split.TEST, (), "p/2"), Row("a", "p", Split.TRAIN, (("coat", "white"),), "p/1")]
    version = dataset_hash(rows)
    Store(url).manifests.write(version, rows)
    assert version == dataset_hash(rows)
    assert Store(url).manifests.read(version) == rows[::-1]
    assert Store(url).data_cards.write(version, {"images": 2}, {"name": "v"}) == {"images": 2}
    assert Store(url).data_cards.write(version, {"images": 3}, {"name": "w"}) == {"images": 2}
    assert Store(url).data_cards.write_page(version, "<p>") == f"{url}/datasets/{version}/card.html"
    files = Store(url).manifests.files(version)
    assert files["dataset/card.json"] == b'{\n "images": 2\n}'
    assert files["dataset/croissant.json"] == b'{\n "name": "v"\n}'
    assert files["dataset/card.html"] == b"<p>"
    assert sha256_of_bytes(files["dataset/manifest.parquet"]) == Store(url).manifests.sha256(version)


def test_a_version_that_differs_little_stands_on_its_base(url: str) -> None:
    """A later version is written as changes on the newest one, and its files for MLflow hold the whole manifest."""
    rows = [Row(f"{number:064x}", f"{number % 5}", Split.TRAIN, (), f"p/{number}") for number in range(10_001)]
    names = [dataset_hash(part) for part in (rows[1:], rows)]
    for name, part in zip(names, (rows[1:], rows), strict=True):
        Store(url).manifests.write(name, part)
    assert [entry.key for entry in open_bucket(url).entries(f"datasets/{names[1]}/")] == [
        f"datasets/{names[1]}/changes.parquet"
    ]
    assert Store(url).manifests.read(names[1]) == rows
    files = Store(url).manifests.files(names[1])
    assert list(files) == ["dataset/manifest.parquet"]
    assert sha256_of_bytes(files["dataset/manifest.parquet"]) == Store(url).manifests.sha256(names[1])


def test_only_the_last_checkpoint_is_kept(url: str) -> None:
    """A newer checkpoint replaces the former ones, the same one twice is harmless, and at the end nothing is left."""
    store, other = Store(url).checkpoints("a" * 64), Store(url).checkpoints("b" * 64)
    assert store.last() is None
    for epoch, data in ((0, b"none"), (9, b"nine"), (10, b"ten"), (10, b"ten")):
        store.keep(epoch, data)
        assert store.last() == (epoch, data)
    other.keep(1, b"one")
    assert len(list(open_bucket(url).entries("checkpoints/"))) == 2
    other.remove(1)
    assert (store.last(), other.last()) == ((10, b"ten"), None)
    store.clear()
    assert list(open_bucket(url).entries("checkpoints/")) == []

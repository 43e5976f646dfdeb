"""Pages of an S3 listing as servers write them; what is no such page is left to boto3."""

from datetime import UTC, datetime

import pytest

from tasks.stores.objects.s3_pages import Page, parse_page

_ROW = (
    "<Contents><Key>{key}</Key><LastModified>{time}</LastModified><ETag>&quot;abc&quot;</ETag><Size>5</Size>"
    "<StorageClass>STANDARD</StorageClass><Owner><ID>1</ID><DisplayName>Ann</DisplayName></Owner></Contents>"
)


def _text(rows: str, encoding: str = "<EncodingType>url</EncodingType>", more: str = "false") -> str:
    return (
        f'<?xml version="1.0"?><ListBucketResult xmlns="x"><Name>b</Name>{encoding}<Prefix>p/</Prefix>'
        f"<IsTruncated>{more}</IsTruncated>{rows}</ListBucketResult>"
    )


def _row(key: str = "a.jpg", time: str = "2026-11-01T00:00:00.000Z") -> str:
    return _ROW.format(key=key, time=time)


@pytest.mark.parametrize(
    ("encoding", "written", "key"),
    [
        ("<EncodingType>url</EncodingType>", "a+b%2Bc%26amp%3B%25/%D0%BF.jpg", "a b+c&amp;%/п.jpg"),
        ("", "a+b&amp;amp;&lt;&#x43f;&#10;%20.jpg", "a+b&amp;<п\n%20.jpg"),
    ],
)
def test_keys_are_decoded_as_they_were_encoded(encoding: str, written: str, key: str) -> None:
    """A key is decoded once, by the rules that the page names, and never by others."""
    page = parse_page(_text(_row(written), encoding))
    assert page
    assert (page.keys, page.etags, page.sizes, page.truncated) == ([key], ["abc"], [5], False)


@pytest.mark.parametrize(
    "time",
    ["2026-11-01T00:00:00.000Z", "2026-11-01T00:00:00.120Z", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00.12+02:00"],
)
def test_times_are_written_as_python_writes_them(time: str) -> None:
    """A time stands in a listing as in those of boto3, or every object would look changed."""
    page = parse_page(_text(_row(time=time)))
    assert page
    assert page.times == [datetime.fromisoformat(time).astimezone(UTC).isoformat()]


def test_a_page_is_what_boto3_makes_of_it() -> None:
    """Folders and the place of the next page are found; a folder's own marker is no object."""
    prefixes = (
        "<CommonPrefixes><Prefix>p/a+b/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>p/c/</Prefix></CommonPrefixes>"
    )
    token = "<NextContinuationToken>x&amp;y</NextContinuationToken>"
    page = parse_page(_text(_row("p/") + _row("p/a.jpg") + prefixes + token, more="true"))
    assert page
    assert (page.folders, page.token, page.truncated) == (["p/a b/", "p/c/"], "x&y", True)
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    rows = [{"Key": key, "ETag": '"abc"', "Size": 5, "LastModified": moment} for key in ("p/", "p/a.jpg")]
    folders = [{"Prefix": "p/a b/"}, {"Prefix": "p/c/"}]
    answer = {"Contents": rows, "CommonPrefixes": folders, "IsTruncated": True, "NextContinuationToken": "x&y"}
    assert page == Page.of_answer(answer)
    assert page.objects().keys == ["p/a.jpg"]
    assert [part.keys for part in page.split()] == [["p/"], ["p/a.jpg"]]


@pytest.mark.parametrize(
    "text",
    [
        "<html><body>IsTruncated</body></html>",
        _text(_row())[: -len("</ListBucketResult>") - 60],
        _text(_row().replace("<ETag>&quot;abc&quot;</ETag>", "")),
        _text(_row(time="yesterday")),
        _text(_row().replace(">5<", ">five<")),
        _text(_row("%FF.jpg")),
        _text(_row("&nbsp;.jpg"), encoding=""),
        _text(_row(), more=""),
    ],
)
def test_what_is_no_whole_page_is_left_to_boto3(text: str) -> None:
    """A page of HTML, one that was cut off, and one that lacks a field give no listing here."""
    assert parse_page(text) is None

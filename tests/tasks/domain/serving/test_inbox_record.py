"""Records of the inbox."""

import pytest

from tasks.domain.serving.inbox_record import guess_extension


@pytest.mark.parametrize(
    ("data", "extension"),
    [
        (b"\xff\xd8\xff\xe0", "jpg"),
        (b"\x89PNG\r\n", "png"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "webp"),
        (b"\0\0\0\x20ftypavif", "avif"),
        (b"\0\0\0\x20ftypheic", "heic"),
        (b"BM", "bmp"),
        (b"", "img"),
        (b"text", "img"),
    ],
)
def test_a_file_is_named_by_its_first_bytes(data: bytes, extension: str) -> None:
    """A picture's file gets the extension that programs know it by, whatever its sender called it."""
    assert guess_extension(data) == extension

"""A server that speaks just enough S3 to list and to read, and takes as long about each request as it is told.

python -m tests.benchmarks.s3_stub SECONDS_A_REQUEST KEYS BYTES prints its address, and runs until its input ends.
"""

import asyncio
import os
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_PAGE = 1000
_FOLDERS = 100
_TIME = "2026-11-01T00:00:00.000Z"


class Stub:
    """Objects that are made up when they are asked for: keys in a hundred folders, and as many bytes in each."""

    def __init__(self, seconds: float, keys: int, size: int) -> None:
        """Take the seconds that pass before each answer, and how many objects there are of how many bytes."""
        self._seconds, self._size = seconds, size
        self._keys = sorted(f"photos/class-{number % _FOLDERS:03}/{number:08}.jpg" for number in range(keys))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, one after the other."""
        while line := await reader.readline():
            while (await reader.readline()).strip():
                pass
            await asyncio.sleep(self._seconds)
            head, body = self._answer(line.decode().split()[1])
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body)
            await writer.drain()
        writer.close()

    def _answer(self, target: str) -> tuple[str, bytes]:
        url = urlsplit(target)
        key = unquote(url.path).partition("/")[2].partition("/")[2]
        if key:
            return f'ETag: "{make_etag(key)}"\r\n', key.encode().ljust(self._size, b".")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        return "Content-Type: application/xml\r\n", self._listing(query).encode()

    def _listing(self, query: dict[str, str]) -> str:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        first = max(bisect_left(self._keys, prefix), bisect_right(self._keys, query.get("start-after", "")))
        start = int(query.get("continuation-token", first))
        most = int(query.get("max-keys", _PAGE))
        prefixes, start, more = self._page(prefix, delimiter, start, most)
        token = f"<NextContinuationToken>{start}</NextContinuationToken>" if more else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>'
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(prefixes)}</KeyCount><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(prefixes)}</ListBucketResult>"
        )

    def _page(self, prefix: str, delimiter: str, start: int, most: int) -> tuple[list[str], int, bool]:
        prefixes: list[str] = []
        for xml, following in self._rows(prefix, delimiter, start):
            if len(prefixes) == most:
                return prefixes, start, True
            prefixes.append(xml)
            start = following
        return prefixes, start, False

    def _rows(self, prefix: str, delimiter: str, start: int) -> Iterator[tuple[str, int]]:
        while start < len(self._keys) and (key := self._keys[start]).startswith(prefix):
            folder, mark, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            if mark:
                common = prefix + folder + mark
                start = bisect_left(self._keys, common[:-1] + chr(ord(delimiter) + 1))
                yield f"<CommonPrefixes><Prefix>{escape(common)}</Prefix></CommonPrefixes>", start
            else:
                start += 1
                yield (
                    (
                        f"<Contents><Key>{escape(key)}</Key><LastModified>{_TIME}</LastModified>"
                        f"<ETag>&quot;{make_etag(key)}&quot;</ETag><Size>{self._size}</Size>"
                        "<StorageClass>STANDARD</StorageClass></Contents>"
                    ),
                    start,
                )


def make_etag(key: str) -> str:
    """Return the ETag that the stub gives an object, by its key in the bucket."""
    return key.encode().hex()[-32:]


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


async def _run(stub: Stub) -> None:
    Thread(target=_end_with_input, daemon=True).start()
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_run(Stub(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))

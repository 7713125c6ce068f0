"""One file out of a multipart body, streamed to disk: memory does not grow with the upload."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class UploadError(Exception):
    """The body is not one file in multipart/form-data; the message goes out as the RPC's answer."""


class _OneFile:
    """Parser callbacks: writes the data of the first part, counts parts."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.num_parts = 0
        self.is_complete = False

    def on_part_begin(self) -> None:
        self.num_parts += 1

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._file.write(memoryview(data)[start:end])

    def on_end(self) -> None:
        self.is_complete = True


async def receive_file(content_type: str, body: AsyncIterator[bytes], file: IO[bytes], *, max_bytes: int) -> None:
    """Writes the one file of a multipart body.

    Args:
        content_type: The request's header, with the boundary.
        body: The request's body as it arrives.
        file: Receives the content.
        max_bytes: Longest body that is taken.

    Raises:
        UploadError: Not multipart, not exactly one part, cut short, or too long.
    """
    media_type, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary:
        raise UploadError("the body is not multipart/form-data")
    sink = _OneFile(file)
    parser = MultipartParser(
        boundary,
        {"on_part_begin": sink.on_part_begin, "on_part_data": sink.on_part_data, "on_end": sink.on_end},
    )
    num_bytes = 0
    try:
        async for piece in body:
            num_bytes += len(piece)
            if num_bytes > max_bytes:
                raise UploadError(f"the upload is longer than {max_bytes} bytes")
            parser.write(piece)
        parser.finalize()
    except MultipartParseError as error:
        raise UploadError("the body is not multipart/form-data") from error
    if sink.num_parts != 1 or not sink.is_complete:
        raise UploadError("the body does not hold exactly one complete file")

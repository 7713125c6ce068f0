"""Forms as browsers send them, read within limits and into memory only: an upload never touches the disk in clear."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

MAX_FIELDS_BYTES = 64 * 1024
"""Of a form without its files."""
MAX_FILES = 40
_MAX_FIELDS = 60
_MAX_NAME_BYTES = 200
"""Folders take 255, and a name gets endings."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form."""

    name: str
    """Without folders."""
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """What a form holds."""

    _data: FormData

    def text(self, name: str) -> str:
        """A field without spaces around it; empty when it is missing."""
        value = self._data.get(name)
        return value.strip() if isinstance(value, str) else ""

    def secret(self, name: str) -> str:
        """A field as it was typed."""
        value = self._data.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """Every value of a field, such as ticked boxes."""
        return tuple(value for value in self._data.getlist(name) if isinstance(value, str))

    def uploads(self, name: str) -> tuple[Upload, ...]:
        """The files of a field; those that a browser sends for an empty field are left out."""
        found = (value for value in self._data.getlist(name) if isinstance(value, UploadFile))
        files = (Upload(_file_name(file.filename or ""), file.file.read()) for file in found)
        return tuple(file for file in files if file.content or file.name)


class _MemoryParser(MultiPartParser):
    spool_max_size = 1 << 62
    """Bytes of a file beyond which it would be put on the disk; the form's own limit is far below."""


async def read_form(request: Request, max_bytes: int) -> Form:
    """The form of a request.

    Args:
        request: Its body was not read yet.
        max_bytes: Of the whole body.

    Raises:
        HTTPException: 413 for a longer body, 400 for one that is no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            _check_charset(request)
            parser = _MemoryParser(
                request.headers,
                _limited(request, max_bytes),
                max_files=MAX_FILES,
                max_fields=_MAX_FIELDS,
                max_part_size=MAX_FIELDS_BYTES,
            )
            return Form(await parser.parse())
        if kind == "application/x-www-form-urlencoded":
            limited = _limited(request, min(max_bytes, MAX_FIELDS_BYTES))
            return Form(await FormParser(request.headers, limited, max_fields=_MAX_FIELDS).parse())
    except MultiPartException as error:
        raise HTTPException(400, "this is no form") from error
    raise HTTPException(400, "this is no form")


def _check_charset(request: Request) -> None:
    """Browsers name none. Some codecs of Python make text that is no Unicode, or fail in ways of their own."""
    charset = parse_options_header(request.headers["content-type"])[1].get(b"charset", b"utf-8")
    if charset.lower() != b"utf-8":
        raise HTTPException(400, "a form is sent in UTF-8")


async def _limited(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise HTTPException(413, f"more than {max_bytes >> 20} MiB were sent at once")
        yield chunk


def _file_name(text: str) -> str:
    name = text.replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in name if character.isprintable())
    # The end of it: there is the kind of the file. A character that is cut through is left out.
    return printable.encode()[-_MAX_NAME_BYTES:].decode("utf-8", "ignore").lstrip(".")

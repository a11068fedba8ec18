"""The driver's page: a few dozen small files, read when the service begins and served from memory."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

ENTRY = "index.html"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is answered with; `tag` is its entity tag (RFC 9110 section 8.8.3)."""

    content: bytes
    kind: str
    tag: str


class Page:
    """Answers for the files of a folder and for nothing else."""

    def __init__(self, folder: Path) -> None:
        paths = [path for path in folder.rglob("*") if path.is_file()]
        self._files = {path.relative_to(folder).as_posix(): _read(path) for path in paths}

    async def answer(self, request: Request) -> Response:
        """The file that the path names, or that it is still the one which the browser has.

        Raises:
            HTTPException: 404.
        """
        file = self._files.get(request.path_params["path"] or ENTRY)
        if file is None:
            raise HTTPException(404)
        headers = {"etag": file.tag}
        if file.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.kind)


def _read(path: Path) -> File:
    content = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "text/plain"
    return File(content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

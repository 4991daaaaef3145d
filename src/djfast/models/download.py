"""Download one file: resumable, checked, and under its final name only when it is whole."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from typing import IO, Any

from djfast.errors import ModelError
from djfast.models.addresses import Address

_BLOCK = 1 << 20
_TIMEOUT = 60  # seconds without a byte


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects within http and https, and never from https to http."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        scheme = newurl.partition(":")[0].lower()
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise urllib.error.URLError(f"the server leads from {req.type} to {scheme}, which is refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(address: Address, path: str) -> None:
    """Download a file to `path`; what an earlier try left in ``path.part`` is gone on with.

    Raises
    ------
    ModelError
        If the file cannot be had, is cut off, or is not the one that the address is known for. Nothing is at `path` then.
    """
    if not address.url.startswith(("https://", "http://")):
        raise ModelError(f"addresses must begin with https:// or http://, got {address.url!r}")
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    part = f"{path}.part"
    try:
        with open(part, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.exists(part):  # another process has just given the file that is open here its final name
                return
            _fill(file, address, _tag_file(path))
            file.flush()
            os.fsync(file.fileno())
            _check(part, address)
            os.replace(part, path)
    except BlockingIOError as error:
        raise ModelError(f"another process is downloading {path}") from error
    except (OSError, http.client.HTTPException) as error:
        raise ModelError(f"{address.url} cannot be downloaded to {path}: {error}; run djfast fetch again to resume") from error
    _remove(_tag_file(path))


def _fill(file: IO[bytes], address: Address, tag_file: str) -> None:
    """Append what is missing. Without a known sum, only the version that the first bytes are of is gone on with."""
    tag = _read_tag(tag_file)
    if not (address.sha256 or tag):
        file.truncate(0)
    start = os.fstat(file.fileno()).st_size
    if start and start == address.size:
        return
    headers = {"User-Agent": "djfast", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if tag:
            headers["If-Range"] = tag
    opener = urllib.request.build_opener(_SafeRedirects)
    try:
        response = opener.open(urllib.request.Request(address.url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416 or not start:
            raise
        file.truncate(0)  # the server's file is not longer than what is here: begin again
        _remove(tag_file)
        _fill(file, address, tag_file)
        return
    with response:
        if start and not (response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")):
            file.truncate(0)
            if response.status == 206:
                raise OSError("the server sent another range than the one it was asked for")
            start = 0
        _write_tag(tag_file, response.headers.get("ETag", ""))
        length = response.headers.get("Content-Length")
        while block := response.read(_BLOCK):
            file.write(block)
    file.flush()
    size = os.fstat(file.fileno()).st_size
    if length is not None and size != start + int(length):
        raise OSError(f"it was cut off after {size} of {start + int(length)} bytes")


def _check(part: str, address: Address) -> None:
    size = os.path.getsize(part)
    if address.size not in (None, size):
        problem = f"must have {address.size} bytes, got {size}"
    elif address.sha256 not in (None, found := _sha256(part)):
        problem = f"must have the SHA-256 {address.sha256}, got {found}"
    elif size == 0:
        problem = "is empty"
    else:
        return
    os.remove(part)
    raise ModelError(f"the file of {address.url} {problem}; it was deleted")


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _tag_file(path: str) -> str:
    return f"{path}.part.etag"


def _read_tag(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, encoding="latin-1") as file:
        return file.read()


def _write_tag(path: str, tag: str) -> None:
    if not tag.startswith('"'):  # a weak tag does not promise equal bytes
        _remove(path)
        return
    with open(path, "w", encoding="latin-1") as file:
        file.write(tag)


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.remove(path)

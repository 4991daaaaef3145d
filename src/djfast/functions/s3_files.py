"""Files from and to stores that speak S3."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from djfast.access import current
from djfast.errors import RecipeError
from djfast.functions.fetching import LOG, Wish, answers, check_size, file_name, shown, written_at_once
from djfast.records import NamedTuple

_S3 = re.compile(r"s3://", re.IGNORECASE)
_WEB = re.compile(r"(?:s3|https?)://", re.IGNORECASE)
_PLACE = re.compile(r"s3://([^/]+)/(.+)", re.IGNORECASE | re.DOTALL)
_CHUNK = 2**16


class Store(NamedTuple):
    """Who asks which store; None leaves it to the environment."""

    key_id: str | None
    secret: str | None
    token: str | None
    region: str | None
    endpoint: str | None


def bind_s3_downloaded_files(
    *, wish: Sequence[Any], store: Sequence[Any], seconds: float, at_once: int, reuses: bool
) -> Callable[[list[str], list[str]], list[Any]]:
    """Return the function that fetches what rows name from S3, for all rows of a batch at once."""
    from botocore.exceptions import BotoCoreError, ClientError

    wanted, access = Wish(*wish), current()
    client = _client(Store(*store), seconds, at_once, needs_credentials=False)

    def fetched(place: str) -> Path | bytes | None:
        try:
            bucket, key = _bucket_and_key(place)
            path = None if wanted.folder is None else Path(wanted.folder) / file_name(place)
            if path is not None and reuses and path.is_file():
                return path
            answer = client.get_object(Bucket=bucket, Key=key)
            with contextlib.closing(answer["Body"]) as body:
                check_size(answer["ContentLength"], wanted.max_bytes)
                if path is None:
                    return bytes(body.read())
                with written_at_once(path) as file:
                    for chunk in body.iter_chunks(_CHUNK):
                        file.write(chunk)
            return path
        except (BotoCoreError, ClientError, OSError, ValueError) as error:
            LOG.warning("%s cannot be fetched: %s", shown(place), error)
            return None

    def fetch(places: Sequence[str]) -> Mapping[str, Path | bytes]:
        with ThreadPoolExecutor(at_once) as threads:
            return {place: got for place, got in zip(places, threads.map(fetched, places)) if got is not None}

    return lambda places, contents: answers(places, contents, wanted, _WEB, fetch, access)


def bind_s3_uploaded_files(
    *, bucket: str, prefix: str, store: Sequence[Any], at_once: int, skips_existing: bool, removes: bool
) -> Callable[[list[str]], list[Any]]:
    """Return the function that brings files that rows name to S3, for all rows of a batch at once.

    Raises
    ------
    RecipeError
        If there are no credentials.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from s3transfer.exceptions import CancelledError, RetriesExceededError
    from s3transfer.manager import TransferManager

    client = _client(Store(*store), None, at_once, needs_credentials=True)
    access = current()

    def uploaded(paths: Sequence[str]) -> dict[str, str]:
        """Upload the files of one key one after the other, so that none hides another."""
        key = _key(prefix, paths[0])
        done: dict[str, str] = {}
        for path in paths:
            try:
                place = access.path(path)
                size = os.path.getsize(place)
                there = _size_of(client, bucket, key) if skips_existing else None
                if there is not None and there != size:
                    raise ValueError(f"another file has its name in the bucket, {key!r}")
                if there is None:
                    with TransferManager(client) as manager:  # a large file goes in parts
                        manager.upload(place, bucket, key).result()
                    if removes:
                        os.unlink(path if os.path.lexists(path) else place)
                done[path] = f"s3://{bucket}/{key}"
            except (BotoCoreError, ClientError, CancelledError, RetriesExceededError, OSError, ValueError) as error:
                LOG.warning("%s cannot be uploaded: %s", path, error)
        return done

    def uploaded_files(values: list[str]) -> list[Any]:
        read = [_read(value) for value in values]
        by_key: dict[str, dict[str, None]] = {}
        for value in read:
            for path in value if isinstance(value, list) else [value]:
                if isinstance(path, str) and path and not _WEB.match(path):
                    by_key.setdefault(_key(prefix, path), {})[path] = None
        done: dict[str, str] = {}
        with ThreadPoolExecutor(at_once) as threads:
            for some in threads.map(uploaded, map(list, by_key.values())):
                done.update(some)
        return [_replaced(value, done) for value in read]

    return uploaded_files


def _read(value: str) -> Any:
    try:
        return json.loads(value) if value else None
    except (ValueError, RecursionError) as error:
        return error


def _replaced(value: Any, done: Mapping[str, str]) -> Any:
    if value is None:
        return ""
    if isinstance(value, Exception):
        return value
    listed = value if isinstance(value, list) else [value]
    if not all(each is None or isinstance(each, str) for each in listed):
        return TypeError("a field of files must hold a string or a list of strings")
    places = [done.get(each, each) for each in listed]
    return json.dumps(places if isinstance(value, list) else places[0])


def _key(prefix: str, path: str) -> str:
    return f"{prefix.rstrip('/')}/{os.path.basename(path)}" if prefix else os.path.basename(path)


def _bucket_and_key(place: str) -> tuple[str, str]:
    match = _PLACE.fullmatch(place)
    if match is None:
        raise ValueError("it is not an S3 address like s3://BUCKET/KEY")
    return match[1], match[2]


def _size_of(client: Any, bucket: str, key: str) -> int | None:
    from botocore.exceptions import ClientError

    try:
        return int(client.head_object(Bucket=bucket, Key=key)["ContentLength"])
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            return None
        raise


def _client(store: Store, seconds: float | None, at_once: int, *, needs_credentials: bool) -> Any:
    """Return a client; credentials of the environment go before those of the recipe."""
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.session import Session

    session = Session()
    if store.key_id and store.secret and not os.environ.get("AWS_ACCESS_KEY_ID"):
        session.set_credentials(str(store.key_id), str(store.secret), str(store.token) if store.token else None)
    has_credentials = session.get_credentials() is not None
    if needs_credentials and not has_credentials:
        remedy = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the parameters of these names"
        raise RecipeError(f"s3_upload_file_mapper: there are no credentials; {remedy}")
    limits = {} if seconds is None else {"connect_timeout": seconds, "read_timeout": seconds}
    config = Config(
        max_pool_connections=at_once,
        retries={"mode": "standard", "max_attempts": 3},
        signature_version=None if has_credentials else UNSIGNED,
        **limits,
    )
    return session.create_client("s3", region_name=store.region or None, endpoint_url=store.endpoint or None, config=config)

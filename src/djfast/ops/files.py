"""Mappers that bring files from elsewhere, and take them there."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, field, member

_IMAGE_BYTES = "image_bytes"


class FetchingMapper(Mapper):
    """What mappers that fetch files have in common."""

    download_field: str | None = param(
        "Field with the address or path of a file, or a list of them; null changes nothing.", default=None
    )
    save_dir: str | None = param("Folder for the files; the field then holds their paths.", default=None)
    save_field: str | None = param(
        'Field for the contents, as bytes (in JSON `{"__dj__bytes__": base64}`); null takes image_bytes_key if save_dir is '
        "not given. All contents of a batch are in memory at once, so keep many or large files in save_dir.",
        default=None,
    )
    timeout: int = param("Longest time for a request.", default=30, unit="seconds", ge=1)
    max_concurrent: int = param("Number of simultaneous requests of one thread.", default=10, ge=1, le=1000)
    max_bytes: int = param("Largest file; one that is larger counts as failed.", default=2**30, unit="bytes", ge=0)

    def _contents_field(self) -> str | None:
        return self.save_field or (None if self.save_dir else self.image_bytes_key or _IMAGE_BYTES)

    def _assigned(self, fn: str, *, fills_only: bool, **settings: object) -> dict[str, Expr]:
        if self.download_field is None:
            return {}
        contents = self._contents_field()
        known = field(contents) if contents else field("")
        wish = [self.save_dir, contents is not None, fills_only, self.max_bytes]
        fetched = call(fn, field(self.download_field), known, wish=wish, **settings)
        assigned = {self.download_field: member(fetched, "paths")} if self.save_dir else {}
        return {**assigned, contents: member(fetched, "contents")} if contents else assigned


class DownloadFileMapper(FetchingMapper, name="download_file_mapper"):
    """Downloads the files that rows name by http or https.

    Values that are not http or https addresses are paths on this machine: with `save_field` the files are read, with
    `save_dir` the paths do not change. Rows may name files below the folder of the input and servers with public addresses,
    at every step of a redirection; `local_roots` of the recipe allows others. If a file cannot be downloaded, its address
    stays in the field, `save_field` gets null, and the log gets a line; the row stays. If a server fails or closes the
    connection, djfast tries again. A row that names nothing, or an empty list, does not change.

    In `save_dir`, a file is named after the last part of its address and a hash of the whole address, so equal names from two
    places are two files, and a file that is already there is not downloaded again. It appears there when it is complete.
    """

    acts_outside = True

    examples = (
        Example(
            rows=[{"text": "t", "urls": []}, {"text": "t"}],
            params={"download_field": "urls"},
            expect=[{"urls": []}, {"text": "t"}],
        ),
        Example(
            rows=[{"text": "t", "url": "/dev/null"}, {"text": "t", "url": ["no/such/file", None]}],
            params={"download_field": "url", "save_field": "content"},
            expect=[{"url": "/dev/null", "content": None}, {"url": ["no/such/file", None], "content": [None, None]}],
        ),
    )

    resume_download: bool = param(
        "Whether a row that has save_field is continued: empty entries are filled, and all are filled again if their number "
        "differs from that of the files. If false, such a row is rejected.",
        default=False,
    )
    retries: int = param("How often a failed or interrupted download is tried again.", default=2, ge=0, le=10)

    def assign(self) -> dict[str, Expr]:
        """Return the paths, the contents, or both."""
        line = [self.timeout, self.max_concurrent, self.retries]
        return self._assigned("downloaded_files", fills_only=self.resume_download, line=line)


class S3DownloadFileMapper(FetchingMapper, name="s3_download_file_mapper"):
    """Downloads the files that rows name in S3, as s3://BUCKET/KEY.

    Values without `s3://` are paths on this machine, below the folder of the input or one of `local_roots`; addresses of the
    web fail. Otherwise the OP works like download_file_mapper: if a file cannot be downloaded, its address stays and the
    other field gets null; a row that names nothing, or an empty list, does not change. Credentials come from the environment
    first, then from the parameters, then from the places where the AWS tools look; without any, only public files can be
    read.
    """

    acts_outside = True

    examples = (
        Example(
            rows=[{"text": "t", "urls": []}, {"text": "t"}],
            params={"download_field": "urls"},
            expect=[{"urls": []}, {"text": "t"}],
        ),
    )

    resume_download: bool = param(
        "Whether files that are already in save_dir are used, and empty entries of an existing save_field are filled.",
        default=False,
    )
    aws_access_key_id: str | None = param("Access key, if the environment has none.", default=None, is_secret=True)
    aws_secret_access_key: str | None = param("Secret of the access key.", default=None, is_secret=True)
    aws_session_token: str | None = param("Token of a session.", default=None, is_secret=True)
    aws_region: str | None = param("Region; null leaves it to the environment.", default=None)
    endpoint_url: str | None = param("Address of a store other than that of AWS.", default=None)

    def assign(self) -> dict[str, Expr]:
        """Return the paths, the contents, or both."""
        return self._assigned(
            "s3_downloaded_files",
            fills_only=self.resume_download,
            store=_store(self),
            seconds=self.timeout,
            at_once=self.max_concurrent,
            reuses=self.resume_download,
        )


class S3UploadFileMapper(Mapper, name="s3_upload_file_mapper"):
    """Uploads the files that rows name to S3 and writes their S3 addresses into the rows.

    Files must lie below the folder of the input or one of the recipe's `local_roots`. The key is the prefix followed by the
    name of the file. With `skip_existing`, a file is not uploaded if the bucket holds a file of that name with another size.
    If a file cannot be uploaded, its path stays in the row, and the log gets a line. Addresses in S3 and of the web do not
    change. A row that names nothing, or an empty list, does not change. Credentials come from the environment first, then
    from the parameters, then from the places where the AWS tools look; without any, there is an error before the run.
    """

    acts_outside = True

    examples = (Example(rows=[{"text": "t", "files": []}, {"text": ""}], params={}, expect=[{"files": []}, {"text": ""}]),)

    upload_field: str | None = param("Field with a path or with a list of them; null changes nothing.", default=None)
    s3_bucket: str | None = param("Bucket; it must be given with upload_field.", default=None)
    s3_prefix: str = param("Prefix of the keys; a slash follows it.", default="")
    aws_access_key_id: str | None = param("Access key, if the environment has none.", default=None, is_secret=True)
    aws_secret_access_key: str | None = param("Secret of the access key.", default=None, is_secret=True)
    aws_session_token: str | None = param("Token of a session.", default=None, is_secret=True)
    aws_region: str | None = param("Region; null leaves it to the environment.", default=None)
    endpoint_url: str | None = param("Address of a store other than that of AWS.", default=None)
    remove_local: bool = param("Whether a file is deleted here after its upload.", default=False)
    skip_existing: bool = param("Whether a file that is already in the bucket stays instead of being replaced.", default=True)
    max_concurrent: int = param("Number of simultaneous requests of one thread.", default=10, ge=1, le=1000)

    def validate(self) -> None:
        """Check that there is a bucket."""
        if self.upload_field is not None and not self.s3_bucket:
            raise RecipeError(f"{self.spec.name}: s3_bucket must be given with upload_field, got {self.s3_bucket!r}")

    def assign(self) -> dict[str, Expr]:
        """Return the places."""
        if self.upload_field is None:
            return {}
        uploaded = call(
            "s3_uploaded_files",
            field(self.upload_field),
            bucket=self.s3_bucket,
            prefix=self.s3_prefix,
            store=_store(self),
            at_once=self.max_concurrent,
            skips_existing=self.skip_existing,
            removes=self.remove_local,
        )
        return {self.upload_field: uploaded}


def _store(op: S3DownloadFileMapper | S3UploadFileMapper) -> list[str | None]:
    """Return how an OP reaches its store."""
    return [op.aws_access_key_id, op.aws_secret_access_key, op.aws_session_token, op.aws_region, op.endpoint_url]

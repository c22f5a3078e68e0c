"""Opens the obstore behind an address, and says in a sentence why one did not do what it was asked.

``file:///folder``, ``memory://name``, ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``. A cloud
address may end with ``?endpoint=URL&region=NAME``, for MinIO and other compatible stores. Credentials are never part of
it: obstore takes them from the platform (its usual variables, an instance's or a container's role).
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from obstore.exceptions import BaseError, NotSupportedError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

from activities.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, RetryConfig, S3Config

OPERATION_SECONDS = 30.0
"""Bound of one store operation; a local one takes well under a millisecond, one in a cloud some ten."""
CLOUD = frozenset({"s3", "gs", "az"})

Store = LocalStore | MemoryStore | S3Store | GCSStore | AzureStore
_memory_stores: dict[str, MemoryStore] = {}

# 1,024 bytes is what S3 and its kin allow a key; ours take up to 500 below the prefix.
_MAX_PREFIX = 400
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,220}[A-Za-z0-9]")
# One request has two thirds of the operation's time, and what fails early is tried again within that.
_REQUEST = timedelta(seconds=OPERATION_SECONDS * 2 / 3)
_RETRIES: "Final[RetryConfig]" = {
    "max_retries": 3,  # after 0.1, 0.2 and 0.4 s; then it is Temporal's turn
    "retry_timeout": _REQUEST,
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
}
_CREDENTIALS: Final = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT, or give the machine a service account",
    "az": "AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY, or give the machine a managed identity",
}
_CODE = re.compile(r"<Code>\s*(\w{1,60})\s*</Code>")
_STATUS = re.compile(r"status code: (\d{3})\b")
# Where clouds keep the credentials of a machine: who asks there has found none in the environment.
_METADATA = ("169.254.169.254", "metadata.google.internal", "169.254.170.2")
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound"})
_NO_ENTRY = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AccessDenied"}
    | {"AuthenticationFailed", "AuthorizationFailure", "AuthorizationPermissionMismatch", "AuthenticationRequired"}
)
_ELSEWHERE = frozenset({"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"})


def with_options(address: str, *, endpoint: str = "", region: str = "") -> str:
    """A cloud address with what the settings say about it; any other address as it is."""
    if address.partition("://")[0] not in CLOUD or "?" in address:
        return address
    options = {name: value for name, value in (("endpoint", endpoint), ("region", region)) if value}
    return f"{address}?{urlencode(options, safe=':/')}" if options else address


def open_backend(address: str) -> Store:
    """The obstore behind an address. A folder is made where it is missing, a bucket is not; nothing is asked yet.

    Raises:
        ConfigurationInvalid: an address that cannot be understood, or a folder that cannot be written.
    """
    parts = _split(address)
    if parts.scheme == "memory":
        return _memory_stores.setdefault(address, MemoryStore())
    if parts.scheme in CLOUD:
        return _open_cloud(parts)
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.query:
        try:
            # Empty folders go with their last file, or deleted lineages would leave theirs behind.
            return LocalStore(Path(unquote(parts.path)), mkdir=True, automatic_cleanup=True)
        except (BaseError, OSError) as error:
            raise ConfigurationInvalid(
                f"the object store {address!r} cannot be opened: {error}",
                fix="make the folder writable, or set OSTINATO_STORE",
            ) from error
    raise ConfigurationInvalid(
        f"the object store's address {address!r} is not understood",
        fix="use file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or memory://name",
    )


def bucket_is_missing(error: Exception) -> bool:
    """Whether a 404 is about the bucket. Taken for a missing object, it would have every record made and paid again."""
    return _code_of(error) in _NO_BUCKET


def explain(error: Exception, address: str) -> tuple[str, str]:
    """Why an operation failed, as the end of a sentence, and what to do. Never with a URL: some carry signatures."""
    code, text, scheme = _code_of(error), str(error), address.partition("://")[0]
    if scheme not in CLOUD:
        cause = text.split("\n\n", 1)[0]  # what follows is obstore's own view of its insides
        return f"failed: {type(error).__name__}: {cause}", "look at the disk and its permissions"
    credentials = f"set {_CREDENTIALS[scheme]}; they need to read, write, list and delete"
    if code in _NO_BUCKET or isinstance(error, FileNotFoundError):
        thing = "container" if scheme == "az" else "bucket"
        return f"has no such {thing}", f"create the {thing}, or correct OSTINATO_STORE"
    if any(host in text for host in _METADATA):
        return "has got no credentials", credentials
    if code in _NO_ENTRY or isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        return f"refuses these credentials ({code or type(error).__name__})", credentials
    if code in _ELSEWHERE or "incorrectly configured region" in text:
        return "is in another region", "set OSTINATO_STORE_REGION to the bucket's"
    if code == "NotImplemented" or isinstance(error, NotSupportedError):
        return "does not support an operation that is needed", "use a store that has conditional writes"
    if status := _STATUS.search(text):
        return f"answers with {status[1]}{f' {code}' if code else ''}", "try again; look at the store's own logs"
    return "does not answer", "check the network and OSTINATO_STORE_ENDPOINT"


def _code_of(error: Exception) -> str:
    """The documented error code of an XML answer, the same element in all three protocols."""
    found = _CODE.search(str(error))
    return found[1] if found else ""


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise ConfigurationInvalid(
            f"the object store's address {address!r} is no address: {error}", fix="correct OSTINATO_STORE"
        ) from error


def _open_cloud(parts: SplitResult) -> Store:
    bucket, prefix, options = parts.netloc, unquote(parts.path).strip("/"), _options(parts)
    if "@" in bucket or not _BUCKET.fullmatch(bucket) or parts.fragment:
        raise ConfigurationInvalid(
            f"the object store's address names no bucket: {parts.scheme}://{bucket.rpartition('@')[2]}",
            fix=f"use {parts.scheme}://bucket/prefix; credentials do not belong there: set {_CREDENTIALS[parts.scheme]}",
        )
    if prefix and (len(prefix.encode()) > _MAX_PREFIX or any(part in {"", ".", ".."} for part in prefix.split("/"))):
        raise ConfigurationInvalid(
            f"the object store's prefix {prefix[:80]!r} cannot be used",
            fix=f"use plain names between slashes, {_MAX_PREFIX} bytes at most",
        )
    try:
        return _build(parts.scheme, bucket, prefix or None, options)
    except (BaseError, ValueError) as error:
        account = parts.scheme == "az" and "Account must be specified" in str(error)
        raise ConfigurationInvalid(
            f"the object store {parts.scheme}://{bucket} cannot be opened"
            + (": no storage account is named" if account else ": its credentials or options cannot be read"),
            fix=f"set {'AZURE_STORAGE_ACCOUNT_NAME' if account else _CREDENTIALS[parts.scheme]}",
        ) from error


def _build(scheme: str, bucket: str, prefix: str | None, options: Mapping[str, str]) -> Store:
    endpoint, region = options.get("endpoint", "").rstrip("/"), options.get("region", "")
    client: ClientConfig = {"timeout": _REQUEST, "connect_timeout": timedelta(seconds=5)}
    if endpoint.startswith("http://"):
        client["allow_http"] = True
    if scheme == "gs":
        google: GCSConfig = {"base_url": endpoint} if endpoint else {}
        return GCSStore(bucket, prefix=prefix, config=google, client_options=client, retry_config=_RETRIES)
    if scheme == "az":
        azure: AzureConfig = {"endpoint": endpoint} if endpoint else {}
        return AzureStore(bucket, prefix=prefix, config=azure, client_options=client, retry_config=_RETRIES)
    amazon: S3Config = {"conditional_put": "etag"}
    if endpoint:
        amazon |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    if region:
        amazon |= {"region": region}
    return S3Store(bucket, prefix=prefix, config=amazon, client_options=client, retry_config=_RETRIES)


def _options(parts: SplitResult) -> Mapping[str, str]:
    try:
        options = dict(parse_qsl(parts.query, strict_parsing=True, max_num_fields=4)) if parts.query else {}
        endpoint = urlsplit(options.get("endpoint", "https://unset"))
        plain = not (endpoint.username or endpoint.query or endpoint.fragment) and endpoint.port != 0
        usable = plain and endpoint.scheme in {"http", "https"} and bool(endpoint.hostname)
    except ValueError:
        usable = False
    if not usable or not options.keys() <= {"endpoint", "region"}:
        raise ConfigurationInvalid(
            f"the options of the object store {parts.scheme}://{parts.netloc} are not understood",
            fix="set OSTINATO_STORE_ENDPOINT to http://host:port or https://host, and OSTINATO_STORE_REGION to a name",
        )
    return options

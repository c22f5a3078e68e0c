"""Bundles: the exported history of a run with the large payloads that it refers to, replayable anywhere.

A history alone is not enough: what is over 16 KiB lies in the object store, which a test or a colleague does not have. A
bundle is one JSON file with both; a replay reads it and writes nothing.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1.external_storage_pb2 import ExternalStorageReference
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer

from activities.errors import BlobMissing, ConfigurationInvalid
from activities.object_store import ObjectStore
from workers.executions import histories_of
from workers.external_storage import DRIVER, BundleDriver
from workers.own_workflows import load_workflows
from workers.plugin import ostinato_plugin
from workers.pools import ALL_WORKFLOWS
from workers.settings import Settings

FORMAT = "ostinato-history/1"
REPLAY_SECONDS = 120.0
"""Bound of one replay. Histories have at most 51,200 events, and a thousand take well under a second."""
_REFERENCE = ExternalStorageReference.DESCRIPTOR.full_name.encode()


@dataclass(frozen=True)
class Bundle:
    """One run: its executions, oldest first where it continued as new, and then those of what is nested in it."""

    workflow_id: str
    workflow_type: str
    namespace: str
    histories: tuple[WorkflowHistory, ...]
    payloads: dict[str, bytes]
    """Path in the object store to the stored bytes, coded where the deployment has a codec."""


async def export_bundle(client: Client, store: ObjectStore, workflow_id: str) -> Bundle:
    """Read a run with all that its histories refer to.

    Args:
        client: where the run is.
        store: the deployment's; without its codec, as payloads are coded before they are stored.
        workflow_id: the run.

    Raises:
        RPCError: there is no such run.
        BlobMissing: a payload is gone.
    """
    histories = [history async for history in histories_of(client, workflow_id)]
    payloads: dict[str, bytes] = {}
    for path in external_paths(histories):
        data = await store.read(path, scope_id=path)
        if data is None:
            raise BlobMissing(f"the payload {path!r} of the run is gone", fix="restore the object store")
        payloads[path] = data
    started = histories[0].events[0].workflow_execution_started_event_attributes
    return Bundle(workflow_id, started.workflow_type.name, client.namespace, tuple(histories), payloads)


def external_paths(histories: Sequence[WorkflowHistory]) -> list[str]:
    """The object store's paths of all payloads that are not in the histories themselves."""
    paths = {
        reference.claim_data["path"]: None
        for history in histories
        for event in history.events
        for payload in _payloads(event)
        if payload.metadata.get("messageType") == _REFERENCE
        for reference in [Parse(payload.data, ExternalStorageReference())]
        if reference.driver_name == DRIVER
    }
    return sorted(paths)


def write_bundle(bundle: Bundle, path: Path) -> None:
    """Write a bundle in one step: a reader sees all of it or nothing."""
    value = {
        "format": FORMAT,
        "workflow_id": bundle.workflow_id,
        "workflow_type": bundle.workflow_type,
        "namespace": bundle.namespace,
        "workflow_ids": [history.workflow_id for history in bundle.histories],
        "histories": [history.to_json_dict() for history in bundle.histories],
        "payloads": {name: base64.b64encode(data).decode() for name, data in sorted(bundle.payloads.items())},
    }
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle.

    Raises:
        ConfigurationInvalid: it cannot be read, or is no bundle.
    """
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        if value["format"] != FORMAT:
            raise ValueError(f"its format is {value['format']!r}")
        workflow_id = str(value["workflow_id"])
        ids = value.get("workflow_ids") or [workflow_id] * len(value["histories"])
        if len(ids) != len(value["histories"]):
            raise ValueError("it has not one id a history")
        bundle = Bundle(
            workflow_id,
            str(value["workflow_type"]),
            str(value["namespace"]),
            tuple(map(WorkflowHistory.from_json, ids, value["histories"])),
            {str(name): base64.b64decode(data, validate=True) for name, data in value["payloads"].items()},
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        binascii.Error,
        ParseError,
    ) as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise ConfigurationInvalid(
            f"{path} is no bundle that can be read: {reason}",
            fix="give files that `ostinato history export` has written",
        ) from error
    if not bundle.histories or not all(history.events for history in bundle.histories):
        raise ConfigurationInvalid(f"{path} holds no history", fix="export the run again")
    return bundle


async def replay_bundle(bundle: Bundle, settings: Settings) -> None:
    """Replay every execution with the workflows of this code; nothing is called and nothing is written.

    End the event loop half a second later: SDK 1.35 can crash at interpreter exit right after a replay.

    Raises:
        NondeterminismError: this code does something else than the history says.
        RuntimeError: the history cannot be replayed at all.
    """
    for history in bundle.histories:
        replayer = Replayer(
            workflows=load_workflows(settings, ALL_WORKFLOWS),
            plugins=[ostinato_plugin(settings, driver=BundleDriver(bundle.payloads))],
            namespace=bundle.namespace,
        )
        async with asyncio.timeout(REPLAY_SECONDS):
            await replayer.replay_workflow(history)


def _payloads(message: Message) -> Iterator[Payload]:
    """Every payload inside a protobuf message, however deep."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            inner = value.values() if field.message_type.fields_by_name["value"].message_type else ()
        else:
            inner = value if isinstance(value, Sequence) or hasattr(value, "add") else (value,)
        for part in inner:
            yield from _payloads(part)

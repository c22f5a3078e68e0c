"""What has to be true of a namespace before a worker serves it: its search attributes, and that it has this store.

A worker with another store than its namespace would answer calls from records that nobody else sees, and fail on blobs
that are there: it refuses to start instead. The bond is written on both sides, in the namespace's data and in the
store, by whoever is first.
"""

import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import ConfigurationInvalid
from activities.object_store import ObjectStore
from activities.policy import Policy
from activities.records import request_hash
from workflows.progress import ALL_SEARCH_ATTRIBUTES

STORE_KEY = "ostinato.store"
STORE_MARK = "store.id"
POLICY_MARK = "policy.id"
"""The digest of the deployment's policy; empty where it was given up."""
log = logging.getLogger(__name__)
_RPC = timedelta(seconds=10)


async def register_search_attributes(client: Client) -> None:
    """Add the search attributes that are missing.

    Raises:
        ConfigurationInvalid: the namespace forbids it; the fix says what to register by hand.
    """
    types = {
        key.name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{key.indexed_value_type.name}")
        for key in ALL_SEARCH_ATTRIBUTES
    }
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_RPC
        )
        missing = {name: kind for name, kind in types.items() if known.custom_attributes.get(name) != kind}
        if missing:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing), timeout=_RPC
            )
    except RPCError as error:
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            return
        wanted = ", ".join(f"{key.name} ({key.indexed_value_type.name.lower()})" for key in ALL_SEARCH_ATTRIBUTES)
        raise ConfigurationInvalid(
            f"the namespace {client.namespace!r} does not let us register search attributes: {error.message}",
            fix=f"have its administrator register {wanted}",
        ) from error


@dataclass(frozen=True)
class Bond:
    """What the namespace and the store say of each other; empty where nobody has written yet."""

    namespace_id: str
    store_of_namespace: str
    store_id: str


async def check_bond(client: Client, store: ObjectStore) -> Bond:
    """Look whether the store is the namespace's, or might become it.

    Raises:
        ConfigurationInvalid: the store belongs to another namespace, or the namespace has another store.
    """
    request = DescribeNamespaceRequest(namespace=client.namespace)
    namespace = (await client.workflow_service.describe_namespace(request, timeout=_RPC)).namespace_info
    mark = (await store.read(STORE_MARK, scope_id=STORE_MARK) or b"").decode()
    store_id, _, owner = mark.partition(" ")
    bond = Bond(namespace.id, namespace.data.get(STORE_KEY, ""), store_id)
    if (owner and owner != namespace.id) or (bond.store_of_namespace and bond.store_of_namespace != store_id):
        raise ConfigurationInvalid(
            f"the object store {store.address} is not the one of the namespace {client.namespace!r}",
            fix="set OSTINATO_STORE to the address that the other workers of this namespace use",
        )
    return bond


async def bind_store(client: Client, store: ObjectStore) -> None:
    """Tie the store and the namespace together, or check that they are tied.

    Raises:
        ConfigurationInvalid: as ``check_bond`` says.
    """
    await store.check()
    bond = await check_bond(client, store)
    if store.address.startswith("memory:"):
        return  # gone with this process, so nothing is written; a namespace that has another store was refused above
    if not bond.store_id:
        # Two workers that start at once write the same object: the loser reads the winner's mark.
        await store.create(STORE_MARK, f"{uuid.uuid4().hex} {bond.namespace_id}".encode(), scope_id=STORE_MARK)
        bond = await check_bond(client, store)
    if not bond.store_of_namespace:
        await _write_to_namespace(client, bond.store_id)
        await check_bond(client, store)  # of two stores that came at the same time, the last writer's is the one


async def bind_policy(store: ObjectStore, policy: Policy | None, *, given_up: bool) -> None:
    """Tie the store to a policy, as a process that makes tool calls has it.

    The failure this prevents: one worker of many, or an ``ostinato run`` that serves itself, is started without the
    policy, and every call that comes to it proceeds.

    Args:
        store: the namespace's.
        policy: this process's.
        given_up: the operator has said that there is to be none.

    Raises:
        ConfigurationInvalid: it has none, and others have.
    """
    digest = request_hash(policy.model_dump(mode="json")) if policy else ""
    kept = (await store.read(POLICY_MARK, scope_id=STORE_MARK) or b"").decode()
    if kept and not digest and not given_up:
        raise ConfigurationInvalid(
            "this namespace has a policy on what may be done, and this process does not know it: it makes no tool calls",
            fix="set OSTINATO_POLICY to the policy's file, as its other workers have it; OSTINATO_POLICY=none gives the"
            " policy up for all",
        )
    if digest != kept:
        if kept:
            log.warning("the policy of the namespace is %s", "another one now" if digest else "given up")
        await store.write(POLICY_MARK, digest.encode(), scope_id=STORE_MARK)


async def _write_to_namespace(client: Client, store_id: str) -> None:
    request = UpdateNamespaceRequest(namespace=client.namespace)
    request.update_info.data[STORE_KEY] = store_id
    try:
        await client.workflow_service.update_namespace(request, timeout=_RPC)
    except RPCError as error:
        # Temporal Cloud keeps namespaces to its own API: there only the store's side of the bond is written.
        if error.status not in {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED}:
            raise

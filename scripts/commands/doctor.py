"""``ostinato doctor``: what is there, what is missing, and what to do about it. Starts nothing."""

import os
import platform
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Literal, get_args

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import RPCError

from activities.contracts.profile import ModelChoice
from activities.errors import ConfigurationInvalid, OstinatoError, redact
from activities.object_store import ObjectStore
from activities.providers.vendors import VENDORS
from scripts.session import Session, has_access, join_running, quiet, unserved
from scripts.terminal import COMPLETE, FAILED, Json, Output, fix_of
from workers.deployment import load_tools
from workers.model_plan import resolve_models
from workers.model_settings import Tier
from workers.plugin import load_codec
from workers.pools import POOLS
from workers.registration import STORE_KEY, STORE_MARK
from workers.server_state import MINIMUM_SERVER, parse_version
from workers.settings import Settings, load_settings
from workflows.progress import ALL_SEARCH_ATTRIBUTES
from workflows.teams.agents import AgentSpec

State = Literal["ok", "warn", "fail"]

PROBE = "doctor-probe"
"""A lineage that is written and deleted again; and the agent in whose name tiers are resolved."""


@dataclass(frozen=True)
class Check:
    """One line of the report."""

    what: str
    state: State
    found: str
    fix: str = ""


async def doctor(*, as_json: Json = False) -> int:
    """Look at this deployment: settings, server, namespace, store, pools, providers.

    Args:
        as_json: Print one JSON object.
    """
    output = Output(as_json=as_json)
    quiet()
    checks = [Check("python", "ok", f"{platform.python_version()}, temporalio {version('temporalio')}")]
    settings = load_settings()
    checks += [_settings(settings), _tools(settings), await _guarded("store", lambda: _store(settings))]
    checks += await _server(settings)
    checks += [*_providers(settings), *_tiers(settings)]
    for check in checks:
        output.text(f"{check.state:4} {check.what}: {check.found}")
        if check.fix:
            output.text(f"     fix: {check.fix}")
    usable = all(check.state != "fail" for check in checks)
    output.object({"usable": usable, "checks": [asdict(check) for check in checks]})
    return COMPLETE if usable else FAILED


async def _guarded(what: str, look: Callable[[], Awaitable[Check]]) -> Check:
    try:
        return await look()
    except OstinatoError as error:
        return Check(what, "fail", str(error), fix_of(error))
    except RPCError as error:
        return Check(what, "fail", redact(error.message), "check the server and its permissions")


def _settings(settings: Settings) -> Check:
    file = settings.home / "settings.toml"
    source = f"{file} and the environment" if file.is_file() else "the environment and defaults"
    return Check("settings", "ok", f"home {settings.home}, provider {settings.provider}, from {source}")


def _tools(settings: Settings) -> Check:
    try:
        tools = load_tools(settings)
        load_codec(settings)
    except ConfigurationInvalid as error:
        return Check("tools", "fail", str(error), error.fix)
    return Check("tools", "ok", ", ".join(sorted(tools)))


async def _store(settings: Settings) -> Check:
    folder = settings.home.absolute() / "store"
    if not settings.store and not folder.exists():
        parent = next(path for path in folder.parents if path.exists())
        if os.access(parent, os.W_OK):
            return Check("store", "ok", f"{folder} will be made")
        return Check("store", "fail", f"{parent} cannot be written", "set OSTINATO_HOME to a folder of yours")
    store = ObjectStore(settings.store_address)
    await store.check()
    await store.write(f"lineages/{PROBE}/probe", b"written by ostinato doctor\n", scope_id=PROBE)
    await store.delete_lineage(PROBE)
    return Check("store", "ok", f"{settings.store_address} can be written, and keeps what is written once")


async def _server(settings: Settings) -> list[Check]:
    try:
        session = await join_running(settings)
    except ConfigurationInvalid as error:
        return [Check("server", "fail", str(error), error.fix)]
    if session is None:
        return [
            Check("server", "warn", "none runs here", "`ostinato run` starts one for itself, `ostinato up` keeps one")
        ]
    server, number = session.server, parse_version(session.server.version)
    old = number is not None and number < MINIMUM_SERVER
    fix = "use a server of 1.32 or later: pausing runs and skipping time do not work here" if old else ""
    return [
        Check("server", "warn" if old else "ok", f"{server.version} at {server.address} ({server.origin})", fix),
        await _guarded("search attributes", lambda: _search_attributes(session)),
        await _guarded("store binding", lambda: _binding(session)),
        await _guarded("pools", lambda: _pools(session)),
    ]


async def _search_attributes(session: Session) -> Check:
    request = ListSearchAttributesRequest(namespace=session.client.namespace)
    known = await session.client.operator_service.list_search_attributes(request)
    missing = [key.name for key in ALL_SEARCH_ATTRIBUTES if key.name not in known.custom_attributes]
    if missing:
        return Check("search attributes", "warn", f"missing: {', '.join(missing)}", "the first worker registers them")
    return Check("search attributes", "ok", f"registered in the namespace {session.client.namespace}")


async def _binding(session: Session) -> Check:
    request = DescribeNamespaceRequest(namespace=session.client.namespace)
    namespace = (await session.client.workflow_service.describe_namespace(request)).namespace_info
    theirs = namespace.data.get(STORE_KEY, "")
    ours = (await session.deployment.store.read(STORE_MARK, scope_id=STORE_MARK) or b"").decode()
    if not ours and not theirs:
        return Check("store binding", "ok", "none yet; the first worker binds store and namespace")
    store_id, _, namespace_id = ours.partition(" ")
    if namespace_id != namespace.id or (theirs and theirs != store_id):
        fix = "set OSTINATO_STORE to the address that the workers of this namespace use"
        return Check("store binding", "fail", f"this store is not that of the namespace {namespace.name}", fix)
    return Check("store binding", "ok", f"the namespace {namespace.name} has this store")


async def _pools(session: Session) -> Check:
    missing = await unserved(session.client, POOLS)
    served = [pool for pool in POOLS if pool not in missing]
    if not missing:
        return Check("pools", "ok", f"served: {', '.join(served)}")
    found = f"served: {', '.join(served) or 'none'}; not served: {', '.join(missing)}"
    return Check("pools", "warn", found, f"`ostinato worker {' '.join(missing)}`, or `ostinato up`")


def _providers(settings: Settings) -> list[Check]:
    """Each provider's key, never the key itself: only that it is there."""
    checks = [Check("provider offline", "ok", "extractive, no language model; needs nothing")]
    needed = {address.partition(":")[0] for chain in settings.models.values() for address in chain}
    for name, vendor in VENDORS.items():
        key = getattr(settings, f"{name}_api_key").get_secret_value().strip()
        address = getattr(settings, f"{name}_base_url").strip()
        found = f"{'a key is set' if key else 'no key is set'}, address {redact(address) or f'of {vendor.title}'}"
        if has_access(settings, vendor) or name not in {settings.provider, *needed}:
            checks.append(Check(f"provider {name}", "ok", found))
            continue
        # A model of some tier's chain: another deployment's workers may hold its key.
        state: State = "fail" if name == settings.provider else "warn"
        checks.append(Check(f"provider {name}", state, found, f"set {vendor.key_variable} where its workers run"))
    return checks


def _tiers(settings: Settings) -> list[Check]:
    """What each tier resolves to, with prices in US dollars for a million tokens, input and output."""
    checks = []
    for tier in get_args(Tier):
        agent = AgentSpec(instructions=PROBE, tier=tier)
        try:
            chain = resolve_models(PROBE, agent, settings, settings.provider)
        except ConfigurationInvalid as error:
            # The tier ``local`` has no built-in model, and who does not use it needs none.
            state: State = "ok" if tier == "local" and not settings.models.get(tier) else "fail"
            found = "no model" if state == "ok" else str(error).replace(f" of the agent {PROBE!r}", "")
            checks.append(Check(f"tier {tier}", state, found, "" if state == "ok" else error.fix))
        else:
            checks.append(Check(f"tier {tier}", "ok", ", then ".join(map(_describe, chain))))
    return checks


def _describe(choice: ModelChoice) -> str:
    if choice.provider == "offline":
        return f"{choice.provider}:{choice.model}"
    price = f"{choice.input_usd_per_million:g}/{choice.output_usd_per_million:g} USD" if choice.priced else "no price"
    return f"{choice.provider}:{choice.model} ({price})"

"""What docker-compose.yml promises, as rules over the file as it is written: each returns what breaks it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import AliasChoices

from workers.pools import POOLS
from workers.settings import Settings

Compose = dict[str, Any]
VARIABLE = re.compile(r"\$\{([A-Z_]+)(:[?-])?")
SECRET = re.compile(r"PASSWORD|PWD|KEY|TOKEN|SECRET")
COMPOSE_ONLY = {"POSTGRES_PASSWORD", "INPUT_FOLDER"}
"""What only the compose file itself reads."""
WORKER_IMAGE = "ostinato:"
NEVER_STARTED_BY_UP = "client"


def known_variables() -> set[str]:
    """Every environment variable that Settings reads."""
    names: set[str] = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [f"OSTINATO_{name.upper()}"]
        names |= {str(choice) for choice in choices if str(choice).isupper()}
    return names


def every_pool_has_its_service(compose: Compose) -> Iterator[str]:
    served = {tuple(s.get("command", ())): name for name, s in compose["services"].items()}
    for pool in POOLS:
        name = served.get(("worker", pool))
        if name is None:
            yield f"no service runs the pool {pool}"
        elif pool.startswith("models-") and pool != "models-offline":
            if compose["services"][name].get("profiles") != [pool.removeprefix("models-")]:
                yield f"{name} is not behind the profile of its provider"
        elif compose["services"][name].get("profiles"):
            yield f"{name} is behind a profile"


def no_worker_serves_an_unknown_pool(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        command = service.get("command", [])
        if command[:1] == ["worker"] and set(command[1:]) - set(POOLS):
            yield f"{name} serves {command[1:]}"


def ports_are_on_loopback(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        for port in service.get("ports", ()):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name} publishes {port}"
        if service.get("network_mode") == "host":
            yield f"{name} is on the host's network"


def no_secret_is_written_down(compose: Compose) -> Iterator[str]:
    for name, variable, value in _environment(compose):
        if SECRET.search(variable) and not value.startswith("${"):
            yield f"{name}: {variable} is literal"
        if "POSTGRES_PASSWORD" in value and not value.startswith("${POSTGRES_PASSWORD:?"):
            yield f"{name}: {variable} lets the password be missing"
        for found, default in re.findall(r"\$\{([A-Z_]*(?:KEY|TOKEN|SECRET|PASSWORD)[A-Z_]*):-([^${}]+)\}", value):
            yield f"{name}: {found} has the default {default!r}"


def keys_reach_their_own_pool_only(compose: Compose) -> Iterator[str]:
    for name, variable, _ in _environment(compose):
        if variable.endswith("_API_KEY") and variable.partition("_")[0].lower() not in name:
            yield f"{name} gets {variable}"


def every_service_is_checked_or_ends(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        if _is_job(service) or name == NEVER_STARTED_BY_UP:
            continue
        if not service.get("healthcheck", {}).get("test"):
            yield f"{name} has no health check"
        if service.get("restart") != "unless-stopped":
            yield f"{name} does not come back"


def nobody_is_waited_for_in_vain(compose: Compose) -> Iterator[str]:
    services = compose["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if _is_job(services[other]) else "service_healthy"
            if how["condition"] != wanted:
                yield f"{name} waits for {other} with {how['condition']}"
    for name, service in services.items():
        if name != "postgresql" and not service.get("depends_on"):
            yield f"{name} waits for nobody"


def variables_exist(compose: Compose) -> Iterator[str]:
    known = known_variables()
    for name, variable, _ in _environment(compose):
        if variable.startswith("OSTINATO_") and variable not in known:
            yield f"{name}: {variable} is no setting"
    for name, service in compose["services"].items():
        for variable, _ in VARIABLE.findall(str(service)):
            if variable not in known | COMPOSE_ONLY:
                yield f"{name}: ${{{variable}}} is no setting"


def images_are_pinned(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        if not re.fullmatch(r"[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?", service.get("image", "")):
            yield f"{name}: {service.get('image')}"


def nobody_is_root(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        user = service.get("user", "10001:10001" if service["image"].startswith(WORKER_IMAGE) else "0")
        if user.partition(":")[0] in {"0", "root"}:
            yield f"{name} runs as root"
        if service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in service.get("security_opt", ()):
            yield f"{name} may gain rights"
        if service.get("privileged") or any("docker.sock" in str(v) for v in service.get("volumes", ())):
            yield f"{name} owns the machine"


def resources_are_limited(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        if not {"cpus", "memory", "pids"} <= set(limits):
            yield f"{name} has no limits"
        if "max-size" not in service.get("logging", {}).get("options", {}):
            yield f"{name} fills the disk with logs"


def stopping_leaves_time_to_drain(compose: Compose) -> Iterator[str]:
    default = float(Settings.model_fields["grace_seconds"].default)
    for name, service in compose["services"].items():
        if service.get("command", [""])[0] != "worker":
            continue
        grace = float(service.get("environment", {}).get("OSTINATO_GRACE_SECONDS", default))
        if float(str(service.get("stop_grace_period", "10s")).removesuffix("s")) < grace + 5:
            yield f"{name} is killed in its grace of {grace:g} s"


RULES: tuple[Callable[[Compose], Iterator[str]], ...] = (
    every_pool_has_its_service,
    no_worker_serves_an_unknown_pool,
    ports_are_on_loopback,
    no_secret_is_written_down,
    keys_reach_their_own_pool_only,
    every_service_is_checked_or_ends,
    nobody_is_waited_for_in_vain,
    variables_exist,
    images_are_pinned,
    nobody_is_root,
    resources_are_limited,
    stopping_leaves_time_to_drain,
)


def problems(compose: Compose) -> list[str]:
    """Everything that breaks a rule, with the rule's name."""
    return [f"{rule.__name__}: {what}" for rule in RULES for what in rule(compose)]


def _is_job(service: dict[str, Any]) -> bool:
    return str(service.get("restart", "")).startswith("on-failure")


def _environment(compose: Compose) -> Iterator[tuple[str, str, str]]:
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            yield name, variable, str(value)

"""docker-compose.yml: the reference parser takes it, a missing password is an error, and it keeps what it promises."""

import copy
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.compose_rules import Compose, problems
from workers.server_build import SERVER_VERSION, UI_VERSION
from workers.server_config import DYNAMIC
from workers.server_connect import RETENTION
from workers.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
TEXT = FILE.read_text(encoding="utf-8")
HELPERS = ROOT / "workers" / "compose"
PARSER_VERSION = "2.16.2"
PARSER = f"github.com/compose-spec/compose-go/v2/cmd@v{PARSER_VERSION}"
INSTALL_SECONDS = 300.0
pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 60)  # the first test on a machine builds the parser
FOR_TESTS_ONLY = {
    "frontend.WorkflowTimeSkippingEnabled",
    "system.forceSearchAttributesCacheRefreshOnRead",
    "system.namespaceCacheRefreshInterval",
}


def compose() -> Compose:
    loaded: Compose = yaml.safe_load(TEXT)
    return loaded


@pytest.fixture(scope="module")
def parser() -> Path:
    """The reference parser, installed once into the cache folder. CI has Go; elsewhere its absence is said."""
    folder = load_settings().cache / f"compose-go-{PARSER_VERSION}"
    if not (folder / "cmd").exists():
        go = shutil.which("go")
        if go is None:
            if os.environ.get("CI"):  # not an assertion: its message would print the environment
                pytest.fail("CI has no Go to check docker-compose.yml with", pytrace=False)
            pytest.skip("docker-compose.yml is NOT checked by the reference parser: no Go here")
        subprocess.run(
            [go, "install", PARSER], env={**os.environ, "GOBIN": str(folder)}, check=True, timeout=INSTALL_SECONDS
        )
    return folder / "cmd"


def parse(parser: Path, path: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    # Nothing of this machine's environment or .env decides.
    command = [str(parser), *options, str(path)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(path.parent)}
    return subprocess.run(
        command, cwd=path.parent, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def place(folder: Path, text: str) -> Path:
    path = folder / "docker-compose.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_reference_parser_takes_it(parser: Path, tmp_path: Path) -> None:
    written = parse(parser, FILE, "-no-interpolation")
    assert written.returncode == 0, written.stderr
    # Every variable in its place, and every profile on.
    filled = re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", "x", re.sub(r"(?m)^    profiles:.*\n", "", TEXT))
    resolved = parse(parser, place(tmp_path, filled))
    assert resolved.returncode == 0, resolved.stderr
    assert set(yaml.safe_load(resolved.stdout)["services"]) == set(compose()["services"])


def test_a_missing_password_is_an_error_that_says_what_to_do(parser: Path, tmp_path: Path) -> None:
    refused = parse(parser, place(tmp_path, TEXT))
    assert refused.returncode != 0
    assert "set POSTGRES_PASSWORD to a password of your own" in refused.stderr


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("    healthcheck:", "    healthchecks:"),
        ("condition: service_healthy", "condition: service_happy"),
    ],
)
def test_the_parser_bites(parser: Path, tmp_path: Path, good: str, bad: str) -> None:
    assert good in TEXT
    refused = parse(parser, place(tmp_path, TEXT.replace(good, bad)), "-no-interpolation")
    assert refused.returncode != 0


def test_it_keeps_what_it_promises() -> None:
    assert problems(compose()) == []


def remove(name: str) -> Callable[[Compose], None]:
    return lambda c: c["services"].pop(name)


def change(name: str, **values: Any) -> Callable[[Compose], None]:
    return lambda c: c["services"][name].update(values)


def environment(name: str, variable: str, value: str) -> Callable[[Compose], None]:
    return lambda c: c["services"][name]["environment"].update({variable: value})


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (remove("models-gemini"), "every_pool_has_its_service"),
        (change("models-openai", profiles=[]), "every_pool_has_its_service"),
        (change("tools", profiles=["more"]), "every_pool_has_its_service"),
        (change("tools", command=["worker", "tools", "models-nobody"]), "no_worker_serves_an_unknown_pool"),
        (change("temporal", ports=["7233:7233"]), "ports_are_on_loopback"),
        (change("temporal-ui", ports=["0.0.0.0:8233:8080"]), "ports_are_on_loopback"),
        (environment("postgresql", "POSTGRES_PASSWORD", "temporal"), "no_secret_is_written_down"),
        (environment("temporal", "POSTGRES_PWD", "${POSTGRES_PASSWORD:-temporal}"), "no_secret_is_written_down"),
        (environment("temporal", "POSTGRES_PWD", "${POSTGRES_PASSWORD}"), "no_secret_is_written_down"),
        (environment("models-openai", "OPENAI_API_KEY", "${OPENAI_API_KEY:-sk-1}"), "no_secret_is_written_down"),
        (environment("tools", "OPENAI_API_KEY", "${OPENAI_API_KEY:-}"), "keys_reach_their_own_pool_only"),
        (change("temporal-ui", healthcheck={}), "every_service_is_checked_or_ends"),
        (change("workflows", restart="no"), "every_service_is_checked_or_ends"),
        (change("tools", depends_on={"temporal": {"condition": "service_started"}}), "nobody_is_waited_for_in_vain"),
        (change("temporal", depends_on={}), "nobody_is_waited_for_in_vain"),
        (environment("client", "OSTINATO_SHOP", "x"), "variables_exist"),
        (change("client", working_dir="${SOMEWHERE}"), "variables_exist"),
        (change("postgresql", image="postgres:latest"), "images_are_pinned"),
        (change("postgresql", user="root"), "nobody_is_root"),
        (change("tools", cap_drop=[]), "nobody_is_root"),
        (change("tools", volumes=["/var/run/docker.sock:/var/run/docker.sock"]), "nobody_is_root"),
        (change("temporal", deploy={}), "resources_are_limited"),
        (change("models-openai", stop_grace_period="60s"), "stopping_leaves_time_to_drain"),
    ],
)
def test_each_rule_bites(broken: Callable[[Compose], None], rule: str) -> None:
    changed = copy.deepcopy(compose())
    broken(changed)
    assert rule in {problem.partition(":")[0] for problem in problems(changed)}


def test_versions_retention_and_dynamic_settings_are_those_of_the_code() -> None:
    services = compose()["services"]
    assert services["temporal"]["image"] == f"temporalio/server:{SERVER_VERSION}"
    assert services["schema"]["image"] == services["namespace"]["image"] == f"temporalio/admin-tools:{SERVER_VERSION}"
    assert services["temporal-ui"]["image"] == f"temporalio/ui:{UI_VERSION}"
    hours = RETENTION.total_seconds() / 3600
    assert f"retention={hours:.0f}h " in (HELPERS / "namespace.sh").read_text(encoding="utf-8")
    dynamic = yaml.safe_load((HELPERS / "dynamic.yaml").read_text(encoding="utf-8"))
    assert dynamic == {name: [{"value": value}] for name, value in DYNAMIC.items() if name not in FOR_TESTS_ONLY}


def test_the_scripts_of_the_jobs_are_shell_and_mounted() -> None:
    for name in ("schema", "namespace"):
        service = compose()["services"][name]
        assert service["command"] == ["sh", f"/compose/{name}.sh"]
        assert service["volumes"] == ["./workers/compose:/compose:ro"]
        subprocess.run(["sh", "-n", str(HELPERS / f"{name}.sh")], check=True, timeout=10)

"""workers/Dockerfile as far as it can be judged without an engine: what it copies, installs and runs as."""

import fnmatch
import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "workers" / "Dockerfile").read_text(encoding="utf-8")
EXEC_FORM = {"RUN", "CMD", "ENTRYPOINT"}


def instructions(text: str) -> list[tuple[str, str]]:
    """Instruction and arguments, continued lines joined, comments gone."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines()]


def sources(text: str) -> set[str]:
    """What is copied from the project's folder."""
    copied = [arguments.split() for word, arguments in instructions(text) if word == "COPY"]
    return {source for words in copied if not words[0].startswith("--from=") for source in words[:-1]}


def allowed(text: str) -> set[str]:
    return {line[1:] for line in text.splitlines() if line.startswith("!")}


def problems(text: str) -> list[str]:
    found = [said for word, arguments in instructions(text) if (said := problem(word, arguments))]
    users = [arguments for word, arguments in instructions(text) if word == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        found.append("no numbered user that is not root")
    installs = [
        arguments for word, arguments in instructions(text) if word == "RUN" and '"install", "--no-' in arguments
    ]
    if not any('"--require-hashes", "--requirement", "requirements.lock"' in install for install in installs):
        found.append("the dependencies are not those of requirements.lock")
    if any('"--require-hashes"' not in i and '"--no-deps", "--no-build-isolation"' not in i for i in installs):
        found.append("something is installed without hashes")
    if "HEALTHCHECK" not in {word for word, _ in instructions(text)}:
        found.append("no health check")
    return found


def problem(word: str, arguments: str) -> str:
    """What one instruction does wrong; empty where nothing."""
    if word == "FROM" and not re.match(r"python:3\.\d+\.\d+-slim-[a-z]+( AS build)?$", arguments):
        return f"base image {arguments}"
    if word in EXEC_FORM and not isinstance(json.loads(arguments) if arguments.startswith("[") else None, list):
        return f"{word} runs a shell: {arguments}"
    if word in {"ARG", "ENV"} and re.search(r"KEY|TOKEN|SECRET|PASSWORD|_PWD", arguments):
        return f"a secret of the build: {arguments}"
    return f"ADD {arguments}" if word == "ADD" else ""


def test_the_dockerfile_keeps_the_rules() -> None:
    assert problems(DOCKERFILE) == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("FROM python:3.11.14-slim-bookworm AS build", "FROM python:latest AS build"),
        ("USER 10001:10001", "USER root"),
        ('ENTRYPOINT ["ostinato"]', "ENTRYPOINT ostinato"),
        ('"--require-hashes", ', ""),
        ('"--no-deps", ', ""),
        ("EXPOSE 8080", "ENV OPENAI_API_KEY=x"),
        ("HEALTHCHECK", "LABEL"),
    ],
)
def test_each_rule_bites(good: str, bad: str) -> None:
    assert good in DOCKERFILE
    assert problems(DOCKERFILE.replace(good, bad))


def test_it_copies_what_the_project_is_made_of_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) - {"tests"}
    needed = packages | {"pyproject.toml", "requirements.lock", project["project"]["readme"]}
    assert sources(DOCKERFILE) == needed
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    assert allowed(ignore) == needed
    assert "*" in ignore.splitlines()
    again = [line.removeprefix("**/") for line in ignore.splitlines() if line.startswith("**/")]
    for secret in (".env", ".env.workers", ".ostinato", "x.pyc", "__pycache__"):
        assert any(fnmatch.fnmatch(secret, pattern) for pattern in again), secret
    assert all((ROOT / source).exists() for source in needed)

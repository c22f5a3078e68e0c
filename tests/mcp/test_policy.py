"""What a deployment allows, and what it does not."""

import pytest
from pydantic import ValidationError

from activities.contracts.mcp import McpServer, server_of
from activities.contracts.mcp_endpoint import McpEndpoint
from activities.errors import ConfigurationInvalid
from activities.mcp.policy import McpAllowed, McpPolicy
from tests.support.teams import one_agent
from workers.mcp import mcp_policy, split_mcp_tools
from workers.settings import load_settings


def allows(entry: object, **endpoint: object) -> bool:
    return McpAllowed.model_validate(entry).covers(McpEndpoint.model_validate(endpoint))


@pytest.mark.parametrize(
    ("entry", "command", "allowed"),
    [
        ("python -m server", ["python", "-m", "server"], True),
        (["python", "-m", "server"], ["python", "-m", "server", "--root", "/data"], True),
        ("python -m server", ["python", "-m", "server2"], False),
        ("python -m server", ["python", "-c", "evil"], False),
        ("python -m server", ["python"], False),
        ("https://mcp.example/a", ["https://mcp.example/a"], False),
    ],
)
def test_a_command_is_allowed_by_its_first_words(entry: object, command: list[str], allowed: bool) -> None:
    assert allows(entry, command=command) is allowed


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://mcp.example/team", True),
        ("https://mcp.example/team/", True),
        ("https://MCP.example:443/team/a", True),
        ("https://mcp.example/team2", False),
        ("https://mcp.example/", False),
        ("http://mcp.example/team", False),
        ("https://mcp.example:8443/team", False),
        ("https://mcp.example.evil.test/team", False),
        ("https://mcp.example@evil.test/team", False),
        ("https://evil.test\\@mcp.example/team", False),
        ("https://mcp.example/team/../admin", False),
        ("https://mcp.example/team/%2e%2e/admin", False),
        ("https://mcp.example/team/%252e%252e/admin", False),
        ("https://mcp.example:port/team", False),
    ],
)
def test_an_address_is_allowed_by_origin_and_folder(url: str, allowed: bool) -> None:
    assert allows("https://mcp.example/team", url=url) is allowed


def test_what_is_not_allowed_is_refused_with_a_way_on() -> None:
    policy = McpPolicy([McpAllowed(url="https://a.example", secrets=("KEY",))], {"KEY": "hidden", "OTHER": "hidden"})
    with pytest.raises(ConfigurationInvalid, match="is not allowed here") as caught:
        policy.admit("s", McpEndpoint(command=("sh", "-c", "true")))
    assert "mcp_allowed" in caught.value.fix
    with pytest.raises(ConfigurationInvalid, match="may not have the secret 'OTHER'") as caught:
        policy.admit("s", McpEndpoint(url="https://a.example", token="OTHER"))
    assert "hidden" not in str(caught.value)
    access = policy.admit("s", McpEndpoint(url="https://a.example/x", token="KEY"))
    assert access.headers == {"Authorization": "Bearer hidden"}
    assert "hidden" not in repr(access) + repr(policy)


def test_the_settings_say_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("settings")
    (home / "settings.toml").write_text(
        'mcp_allowed = ["https://a.example/mcp", ["python", "-m", "s"], {command = ["g"], secrets = ["TOKEN"]}]\n'
        '[mcp_secrets]\nTOKEN = "hush-hush"\n'
    )
    settings = load_settings(home=home)
    policy = mcp_policy(settings)
    assert policy.admit("s", McpEndpoint(command=("g", "-v"), env=("TOKEN",))).values == {"TOKEN": "hush-hush"}
    assert "hush-hush" in settings.secrets
    assert "hush-hush" not in repr(settings)
    (home / "settings.toml").write_text('mcp_allowed = ["ftp://a.example"]\n')
    with pytest.raises(ConfigurationInvalid, match="mcp_allowed"):
        load_settings(home=home)


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"command": ["a"], "url": "https://a.example"},
        {"url": "file:///etc/passwd"},
        {"url": "https://a.example", "env": ["A"]},
        {"command": ["a"], "token": "t"},
        {"command": ["a"], "tools": {"x": {"tool": "y"}, "y": {}}},
    ],
)
def test_a_server_is_declared_one_way(declared: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        McpServer.model_validate(declared)


def test_an_agents_tools_are_split_by_declared_servers() -> None:
    team = one_agent(tools=["search_documents", "files__read", "files__a__b"])
    assert split_mcp_tools(team, team.agents["a"])[1] == (), "without servers these are names like any other"
    team = team.model_copy(update={"mcp": {"files": McpServer(command=("a",))}})
    own, theirs = split_mcp_tools(team, team.agents["a"])
    assert (own, theirs) == (("search_documents",), ("files__read", "files__a__b"))
    team = one_agent(tools=["flies__read"]).model_copy(update={"mcp": team.mcp})
    with pytest.raises(ConfigurationInvalid, match="'flies', which the team does not declare") as caught:
        split_mcp_tools(team, team.agents["a"])
    assert caught.value.fix == "did you mean 'files'?"
    assert server_of("a__b__c", ["a", "a__b"]) == "a__b"

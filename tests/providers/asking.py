"""What the tests of every provider family share: a call, a tool, and the one way to see a failure."""

import traceback
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from activities.contracts.messages import Message, UserMessage
from activities.contracts.profile import Effect, ToolSpec
from activities.errors import ProviderError, to_application_error
from activities.providers.base import ModelProvider, ProviderCall
from tests.providers.fake_server import FakeServer, Responder

KEY = "s3cret/key+0123456789=abcdef"
SEARCH = ToolSpec(
    name="search",
    description="Finds passages.",
    parameters={"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
    effect=Effect.READ,
)
COUNT = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}


def ask(model: str, *messages: Message, **options: object) -> ProviderCall:
    """One question, or the conversation that is given."""
    fields: dict[str, object] = {
        "model": model,
        "instructions": "Be brief.",
        "messages": messages or (UserMessage(text="Hello?"),),
        "timeout_seconds": 10.0,
        **options,
    }
    return ProviderCall(**fields)  # type: ignore[arg-type] # fields by name


async def fail_with(
    make_server: Callable[..., FakeServer],
    make_provider: Callable[[SecretStr, str], ModelProvider],
    reply: Responder,
    **options: object,
) -> ProviderError:
    """Make one request that has to fail; see that it was one, and that the key is nowhere in what comes out."""
    with make_server(reply) as server:
        provider = make_provider(SecretStr(KEY), server.base_url)
        with pytest.raises(ProviderError) as caught:
            await provider.request(ask("fake", **options))
        await provider.aclose()
        assert len(server.requests) == 1
    error = caught.value
    left = "".join(traceback.format_exception(error)) + repr(to_application_error(error).details) + repr(error)
    assert KEY not in left
    assert error.__cause__ is None, "a chained cause would be stored in the history"
    assert len(str(error)) < 1000
    return error

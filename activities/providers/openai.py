"""OpenAI, and every server that speaks its chat completions: Ollama, vLLM, gateways.

The client library reads a dozen environment variables (key, address, organisation, extra headers). None of them may
decide where a prompt goes or who pays for it: everything is passed in, and a filter lets out only the headers that we
mean to send.
"""

from collections.abc import AsyncIterator

import httpx
import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic import SecretStr
from pydantic_ai.direct import model_request
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider as LibraryProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider as LibraryCompatibleProvider

from activities.errors import AuthenticationFailed, MalformedAnswer
from activities.providers.base import ProviderAnswer, ProviderCall
from activities.providers.pydantic_ai_adapter import to_answer, to_library_messages, to_library_parameters
from activities.providers.translation import translate

DEFAULT_BASE_URL = "https://api.openai.com/v1"

CONNECT_SECONDS = 10.0
"""A provider that does not accept a connection in this time will not do so later in the same attempt either."""

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Bytes of one answer that are read: thirty times the longest text that a contract holds."""

_HEADERS = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-length", "content-type", "user-agent", "authorization"}
)


class OpenAIProvider:
    """One connection pool for one worker process. Build it inside the event loop's process, close it with ``aclose``."""

    def __init__(self, api_key: SecretStr, base_url: str = "") -> None:
        """An empty ``base_url`` means OpenAI itself, which needs a key; other addresses may do without."""
        self._key = api_key.get_secret_value().strip()
        self._base_url = base_url.strip() or DEFAULT_BASE_URL
        self._is_openai = httpx2.URL(self._base_url).host == httpx2.URL(DEFAULT_BASE_URL).host
        self._http = DefaultAsyncHttpxClient(
            follow_redirects=False,
            event_hooks={"request": [self._keep_known_headers], "response": [_bound_body]},
        )
        client = AsyncOpenAI(
            api_key=self._key or "none",  # the library insists on one; the filter drops it
            admin_api_key="",
            webhook_secret="",
            base_url=self._base_url,
            max_retries=0,  # one request a call: Temporal owns retries
            http_client=self._http,
        )
        self._library: LibraryProvider | LibraryCompatibleProvider = (
            LibraryProvider(openai_client=client)
            if self._is_openai
            else LibraryCompatibleProvider("openai", openai_client=client)
        )

    @property
    def name(self) -> str:
        """The word before the colon in ``openai:model``."""
        return "openai"

    async def request(self, call: ProviderCall) -> ProviderAnswer:
        """Make exactly one HTTP request. Cancelling the task closes its connection.

        Raises:
            ProviderError: the leaf that fits, see ``translation``; bounded, and without the key.
        """
        if self._is_openai and not self._key:
            raise AuthenticationFailed(
                "There is no key for OpenAI.",
                fix="set OPENAI_API_KEY where the workers run, or OPENAI_BASE_URL to a server that needs no key",
            )
        try:
            model = self._model(call.model)
            response = await model_request(
                model,
                to_library_messages(call.messages),
                model_settings=_settings(call, model.profile),
                model_request_parameters=to_library_parameters(call),
            )
            return to_answer(response)
        except Exception as error:  # the library lets raw errors out as well: IndexError, pydantic's, its own
            raise translate(error, provider=self.name, model=call.model, secrets=(self._key,)) from None

    async def aclose(self) -> None:
        """Close the pooled connections. Idempotent."""
        await self._http.aclose()

    def _model(self, name: str) -> OpenAIChatModel:
        profile = OpenAIModelProfile(supports_json_schema_output=True)
        known = self._library.model_profile(name) or {}
        if not self._is_openai and not known.get("openai_supports_reasoning"):
            # The older name of the limit is the one that every compatible server knows; an unknown field would be
            # ignored and the answer unbounded. OpenAI's own reasoning models refuse it, wherever they are served.
            profile["openai_chat_supports_max_completion_tokens"] = False
        return OpenAIChatModel(name, provider=self._library, profile=profile)

    async def _keep_known_headers(self, request: httpx2.Request) -> None:
        for header in set(request.headers) - _HEADERS:
            del request.headers[header]
        request.headers["Accept-Encoding"] = "identity"  # so that the bound on the body is one on memory
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        else:
            request.headers.pop("Authorization", None)


def _settings(call: ProviderCall, profile: OpenAIModelProfile) -> OpenAIChatModelSettings:
    settings = OpenAIChatModelSettings(
        max_tokens=call.max_output_tokens,
        timeout=httpx.Timeout(call.timeout_seconds, connect=min(CONNECT_SECONDS, call.timeout_seconds)),
        # The HTTP timeout starts again with each byte; this one bounds the whole.
        request_timeout=call.timeout_seconds,
    )
    # Models that reason by default take no temperature.
    if call.temperature is not None and not profile.get("thinking_enabled_by_default", False):
        settings["temperature"] = call.temperature
    return settings


async def _bound_body(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _BoundedStream(response.stream)


class _BoundedStream(httpx2.AsyncByteStream):
    """A body that ends in an error at ``MAX_BODY_BYTES``."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                message = f"The provider's answer is longer than {MAX_BODY_BYTES // 1024 // 1024} MiB."
                raise MalformedAnswer(message)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()

"""What the provider families have in common: one request, one answer or one typed error, through pydantic-ai.

A family says how its model is made, what it can do, and how its client library wants to be asked; everything that a
caller may rely on is here, once.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import httpx2
from pydantic import SecretStr
from pydantic_ai.direct import model_request
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from activities.providers.http import provider_pool
from activities.providers.pydantic_ai_adapter import OutputMode, to_answer, to_library_messages, to_library_parameters
from activities.providers.translation import translate
from activities.providers.vendors import Vendor


class ProviderFamily(ABC):
    """One connection pool for one worker process. Build it inside the event loop's process, close it with ``aclose``."""

    def __init__(
        self, vendor: Vendor, api_key: SecretStr, base_url: str, client_class: type[httpx2.AsyncClient]
    ) -> None:
        """An empty ``base_url`` means the vendor itself, which needs a key; other addresses may do without."""
        self._vendor = vendor
        self._key = api_key.get_secret_value().strip()
        self._base_url = base_url.strip() or vendor.address
        self._is_vendor = httpx2.URL(self._base_url).host == httpx2.URL(vendor.address).host
        self._http = provider_pool(client_class, self._base_url, self._headers(self._key))

    @property
    def name(self) -> str:
        """The word before the colon in ``provider:model``."""
        return self._vendor.name

    async def request(self, call: ProviderCall) -> ProviderAnswer:
        """Make exactly one HTTP request. Cancelling the task closes its connection.

        Raises:
            ProviderError: the leaf that fits, see ``translation``; bounded, and without the key.
        """
        self._check_key()
        try:
            return to_answer(await self._ask(call))
        except Exception as error:  # the library lets raw errors out as well: IndexError, pydantic's, its own
            raise translate(error, provider=self.name, model=call.model, secrets=(self._key,)) from None

    async def aclose(self) -> None:
        """Close the pooled connections. Idempotent."""
        await self._http.aclose()

    def _check_key(self) -> None:
        if self._is_vendor and not self._key:
            raise AuthenticationFailed(
                f"There is no key for {self._vendor.title}.",
                fix=f"set {self._vendor.key_variable} where the workers run, "
                f"or {self._vendor.address_variable} to a server that needs no key",
            )

    async def _ask(self, call: ProviderCall) -> ModelResponse:
        model = self._model(call.model)
        settings = ModelSettings(
            max_tokens=call.max_output_tokens,
            max_retries=0,  # one request a call: Temporal owns retries
            timeout=call.timeout_seconds,
            # The HTTP timeout starts again with each byte; this one bounds the whole.
            request_timeout=call.timeout_seconds,
        )
        if call.temperature is not None and self._takes_temperature(model):
            settings["temperature"] = call.temperature
        mode = self._output_mode(call, model) if call.output_schema is not None else "text"
        return await model_request(
            model,
            self._messages(call),
            model_settings=settings,
            model_request_parameters=to_library_parameters(call, mode),
        )

    @abstractmethod
    def _headers(self, key: str) -> Mapping[str, str]:
        """What authorises a request (nothing for an empty key), and the protocol's version where it has one."""

    @abstractmethod
    def _model(self, name: str) -> Model:
        """The library's model of this name."""

    @abstractmethod
    def _takes_temperature(self, model: Model) -> bool:
        """Whether the model takes a temperature; some that reason refuse it."""

    def _output_mode(self, call: ProviderCall, model: Model) -> OutputMode:
        """How the output contract is asked for: by the protocol where it can, else in the instructions."""
        del call, model
        return "native"

    def _messages(self, call: ProviderCall) -> list[ModelMessage]:
        return to_library_messages(call.messages)

"""The activity ``model.embed``: how alike texts are, by one request to one embedding model, recorded.

Idempotency as of ``model.call``: the record under the step's key is looked for first and written before the answer
leaves. Cosines leave, vectors do not.
"""

from collections.abc import Mapping

from temporalio import activity

from activities.contracts.profile import ModelChoice
from activities.contracts.similarity import EmbedRequest, EmbedResponse
from activities.contracts.steps import Usage
from activities.errors import ConfigurationInvalid, RequestRejected
from activities.heartbeats import durable_activity
from activities.object_store import ObjectStore
from activities.providers.base import EmbedAnswer, EmbedCall, EmbeddingProvider
from activities.records import Records, request_hash
from activities.telemetry import embedding_span, record_usage
from activities.vectors import cosines, pieces

HTTP_MARGIN_SECONDS = 10.0
"""The HTTP request ends this long before start-to-close, so that a timeout is ours to name and to translate."""


class EmbedActivities:
    """Comparing texts. Providers and their keys are injected on the worker; payloads hold names only."""

    def __init__(self, store: ObjectStore, providers: Mapping[str, EmbeddingProvider]) -> None:
        """``providers``: those of this worker that have embeddings, by name."""
        self._records = Records(store)
        self._providers = providers

    @activity.defn(name="model.embed")
    async def embed(self, request: EmbedRequest) -> EmbedResponse:
        """Answer from the record, or make one request and record the answer.

        Heartbeats in the background; a cancellation closes the connection.

        Raises:
            ApplicationError: of a provider's kind (retried as ``activities.errors`` says), ``store_unavailable``, or
                ``configuration_invalid`` where this worker's provider has no embeddings.
        """
        async with durable_activity(request.key) as attempts:
            attempts.asked = False
            info = activity.info()
            run_id = info.workflow_run_id or ""
            seen = {"embed": f"{request.provider}:{request.model}", "texts": list(request.texts)}
            hashed = request_hash(seen)
            found = await self._records.find(request.key, hashed, EmbedResponse)
            if found:
                # A record of this very run is the work of an earlier attempt of this call: its cost is this run's.
                own = found.run_id == run_id
                known = {"usage": found.result.usage if own else Usage(), "from_record": not own}
                return found.result.model_copy(update={**known, "attempt": info.attempt})
            timeout = info.start_to_close_timeout
            seconds = max(1.0, timeout.total_seconds() - HTTP_MARGIN_SECONDS) if timeout else 60.0
            provider = self._provider(request.provider)
            split = [tuple(pieces(text)) for text in request.texts]
            if not all(split):
                raise RequestRejected("a blank text has no direction", fix="compare texts that say something")
            call = EmbedCall(request.model, [piece for text in split for piece in text], seconds)
            attempts.asked = True
            with embedding_span(provider.name, call.model) as span:
                answer = await provider.embed(call)
                attempts.paid = True
                usage = _usage(request, answer, attempts.lost)
                record_usage(span, usage)
            response = EmbedResponse(cosines=cosines(split, answer.vectors), usage=usage, attempt=info.attempt)
            settled = await self._records.settle(request.key, hashed, response, run_id)
            if settled is response:
                return response
            # Another attempt, thought dead, was first: its answer stands, and both were paid.
            both = settled.usage + _usage(request, answer, 0)
            return settled.model_copy(update={"usage": both, "attempt": info.attempt})

    def _provider(self, name: str) -> EmbeddingProvider:
        if name not in self._providers:
            raise ConfigurationInvalid(
                f"this worker has no embeddings of the provider {name!r}",
                fix="set OSTINATO_EMBEDDING, or the model of the team's similarity, to a model of openai or gemini,"
                " or to offline:ngrams, and start workers of its pool",
            )
        return self._providers[name]


def _usage(request: EmbedRequest, answer: EmbedAnswer, lost: int) -> Usage:
    """The answer's usage and price, and the reservation of every attempt that was lost."""
    price = ModelChoice(
        provider=request.provider, model=request.model, input_usd_per_million=request.input_usd_per_million
    )
    tokens, reserved = answer.input_tokens or request.tokens, lost * request.tokens
    return Usage(
        input_tokens=tokens,
        cost_usd=price.cost_usd(tokens + reserved, 0),
        model_calls=1 + lost,
        unsettled_tokens=reserved,
    )

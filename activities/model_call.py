"""The activity ``model.call``: one request to one model, recorded.

Idempotency: the record under the step's key is looked for first and written before the answer leaves, so a recorded
call is never made again. An answer that was received but not recorded when a worker died is asked for again; its cost
is bounded by the reservation and listed as unsettled.
"""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from pydantic import JsonValue
from temporalio import activity

from activities.contracts.budgets import Amounts
from activities.contracts.calls import ModelRequest, ModelResponse
from activities.contracts.handoffs import Rejection
from activities.contracts.messages import AssistantMessage, MessageRef, ThreadRef
from activities.contracts.profile import AgentProfile
from activities.contracts.steps import Usage
from activities.errors import ConfigurationInvalid, MalformedAnswer, ProviderError
from activities.handoffs import missing_model, missing_tools, taken, unfit
from activities.heartbeats import durable_activity
from activities.object_store import ObjectStore
from activities.outputs import read_output
from activities.prompts import build_call, profile_tokens, prompt_hash
from activities.providers.base import ModelProvider, ProviderAnswer, ProviderCall
from activities.records import Records
from activities.telemetry import model_span, record_usage
from activities.threads import Threads, message_tokens, split_for_summary, summary_message

HTTP_MARGIN_SECONDS = 10.0
"""The HTTP request ends this long before start-to-close, so that a timeout is ours to name and to translate."""

PATIENCE = timedelta(seconds=5)
"""A longer Retry-After is not waited for where the chain has a next model: that one may answer meanwhile."""


class ModelActivities:
    """Model calls. Providers and their keys are injected on the worker; payloads hold names only."""

    def __init__(
        self, store: ObjectStore, providers: Mapping[str, ModelProvider], tools: Collection[str] | None = None
    ) -> None:
        """Inject what the calls need.

        Args:
            store: where profiles, threads and records are.
            providers: the models that can be asked here, by provider.
            tools: names of the tools that this process serves too; a handoff to an agent that has others is rejected.
                Absent: it serves none, and asks nothing of tools.
        """
        self._tools = tools
        self._store = store
        self._records = Records(store)
        self._threads = Threads(store)
        self._providers = providers

    @activity.defn(name="model.call")
    async def call_model(self, request: ModelRequest) -> ModelResponse:
        """Answer from the record, or make one request, extend the thread and record the answer.

        Heartbeats in the background; a cancellation closes the connection.

        Raises:
            ApplicationError: of a provider's kind (retried as ``activities.errors`` says, but not after more than
                ``PATIENCE`` where the chain has a next model), ``blob_missing``, ``store_unavailable``, or
                ``configuration_invalid`` where this worker has no such provider.
        """
        async with durable_activity(request.key) as attempts:
            attempts.asked = False
            scope, info = request.key.scope_id, activity.info()
            run_id = info.workflow_run_id or ""
            profile = await self._store.get_model(scope, request.profile, AgentProfile)
            digests = await self._window(request)
            hashed = prompt_hash(request, profile, digests)
            found, messages = await asyncio.gather(
                self._records.find(request.key, hashed, ModelResponse), self._threads.load(scope, digests)
            )
            accepted = taken(request.handoff, info.started_time, _given(request)) if request.handoff else None
            if found:
                # A record of this very run is the work of an earlier attempt of this call: its cost is this run's.
                own = found.run_id == run_id
                usage = found.result.usage if own else Usage()
                known = {"usage": usage, "from_record": not own, "attempt": info.attempt, "accepted": accepted}
                return found.result.model_copy(update=known)
            if rejected := self._rejection(request, profile, info.started_time):
                return ModelResponse(
                    rejected=rejected, usage=_lost(profile, request, attempts.lost), attempt=info.attempt
                )
            timeout = info.start_to_close_timeout
            seconds = max(1.0, timeout.total_seconds() - HTTP_MARGIN_SECONDS) if timeout else 120.0
            provider, call = self._provider(profile, request), build_call(request, profile, messages, seconds)
            attempts.asked = True
            with model_span(provider.name, call.model) as span:
                answer = await _ask(provider, call, last=request.choice + 1 == len(profile.models))
                attempts.paid = True
                usage = _usage(profile, request, answer, attempts.lost)
                record_usage(span, usage)
            response = await self._response(request, profile, digests, answer)
            response = response.model_copy(update={"usage": usage, "attempt": info.attempt})
            settled = await self._records.settle(request.key, hashed, response, run_id)
            if settled is response:
                return response.model_copy(update={"accepted": accepted})
            # Another attempt, thought dead, was first: its answer stands, and both were paid.
            both = settled.usage + _usage(profile, request, answer, 0)
            return settled.model_copy(update={"usage": both, "attempt": info.attempt, "accepted": accepted})

    def _rejection(self, request: ModelRequest, profile: AgentProfile, now: datetime) -> Rejection | None:
        """Why the step is not taken, where this is its first call; nothing: it is."""
        handoff = request.handoff
        if handoff is None:
            return None
        choice = profile.models[request.choice]
        # The answer alone: the workflow has reserved at least that much, by its own estimate of the prompt.
        answer = profile.max_output_tokens
        first = Amounts(tokens=answer, cost_usd=answer * choice.output_usd_per_million / 1_000_000, model_calls=1)
        tools = () if self._tools is None else (*profile.tools, *profile.checks)
        return (
            missing_tools(tools, self._tools or ())
            or missing_model(choice.provider, self._providers)
            or unfit(handoff, first, now)
        )

    async def _window(self, request: ModelRequest) -> list[str]:
        """The digests of the prompt's messages: the thread's window and what is appended to it."""
        scope = request.key.scope_id
        digests = list(await self._threads.window(scope, request.thread))
        for item in request.append:
            ref = item if isinstance(item, MessageRef) else await self._threads.add_message(scope, item)
            digests.append(ref.digest)
        return digests

    def _provider(self, profile: AgentProfile, request: ModelRequest) -> ModelProvider:
        name = profile.models[request.choice].provider
        if name not in self._providers:
            raise ConfigurationInvalid(
                f"this worker has no provider {name!r}",
                fix=f"start a worker of the pool models-{name} with its settings",
            )
        return self._providers[name]

    async def _response(
        self, request: ModelRequest, profile: AgentProfile, digests: list[str], answer: ProviderAnswer
    ) -> ModelResponse:
        """Extend the thread by the answer, and read the answer by the contract."""
        if request.purpose == "summarise":
            thread = await self._summarised(request, profile, digests, answer.text)
            return ModelResponse(thread=thread, text=answer.text)
        message = AssistantMessage(text=answer.text, tool_calls=answer.tool_calls)
        tokens = sum(_tokens(profile, request, answer))
        thread = await self._threads.extend(request.key.scope_id, digests, message, tokens=tokens)
        output: JsonValue = None
        problems: tuple[str, ...] = ()
        if profile.output and not answer.tool_calls and answer.text.strip():
            output, problems = read_output(answer.text, profile.output.schema_)
        fits = output is not None and not problems
        return ModelResponse(
            thread=thread,
            text="" if fits else answer.text,
            output=output if fits else None,
            problems=problems,
            tool_calls=answer.tool_calls,
            finish_reason="stop" if answer.finish_reason == "tool_calls" else answer.finish_reason,
        )

    async def _summarised(
        self, request: ModelRequest, profile: AgentProfile, digests: list[str], summary: str
    ) -> ThreadRef:
        if not summary.strip():
            raise MalformedAnswer("the model's summary of the conversation is empty")
        scope = request.key.scope_id
        messages = await self._threads.load(scope, digests)
        start, end = split_for_summary(messages)
        message = summary_message(summary)
        kept = [*messages[:start], message, *messages[end:]]
        ref = await self._threads.add_message(scope, message)
        return await self._threads.commit(
            scope,
            [*digests[:start], ref.digest, *digests[end:]],
            tokens=profile_tokens(profile) + sum(message_tokens(m) for m in kept),
            replaces=request.thread.digest if request.thread else None,
        )


async def _ask(provider: ModelProvider, call: ProviderCall, *, last: bool) -> ProviderAnswer:
    """One request. Only the last model of a chain is worth a long wait."""
    try:
        return await provider.request(call)
    except ProviderError as error:
        if not last and error.retry_after and error.retry_after > PATIENCE:
            error.retryable = False
        raise


def _tokens_before(request: ModelRequest, profile: AgentProfile) -> int:
    """The estimated length of the prompt; a window's length includes the instructions, tools and contract."""
    appended = sum(m.tokens if isinstance(m, MessageRef) else message_tokens(m) for m in request.append)
    return (request.thread.tokens if request.thread else profile_tokens(profile)) + appended


def _tokens(profile: AgentProfile, request: ModelRequest, answer: ProviderAnswer) -> tuple[int, int]:
    """Input and output tokens: what the provider counted, or an estimate where it counts nothing."""
    written = AssistantMessage(text=answer.text, tool_calls=answer.tool_calls)
    return answer.input_tokens or _tokens_before(request, profile), answer.output_tokens or message_tokens(written)


def _lost(profile: AgentProfile, request: ModelRequest, lost: int) -> Usage:
    """The reservation of attempts that were lost before this one, which asks nothing."""
    prompt, answer = lost * _tokens_before(request, profile), lost * profile.max_output_tokens
    cost = profile.models[request.choice].cost_usd(prompt, answer)
    return Usage(model_calls=lost, unsettled_tokens=prompt + answer, cost_usd=cost)


def _given(request: ModelRequest) -> int:
    """Bytes of what a step begins with: its prompt. A message by reference is in the store already."""
    return sum(len(message.model_dump_json().encode()) for message in request.append)


def _usage(profile: AgentProfile, request: ModelRequest, answer: ProviderAnswer, lost: int) -> Usage:
    """The answer's usage and price, and the reservation of every attempt that was lost."""
    prompt, written = _tokens(profile, request, answer)
    reserved_prompt, reserved_answer = lost * prompt, lost * profile.max_output_tokens
    return Usage(
        input_tokens=prompt,
        output_tokens=written,
        cost_usd=profile.models[request.choice].cost_usd(prompt + reserved_prompt, written + reserved_answer),
        model_calls=1 + lost,
        unsettled_tokens=reserved_prompt + reserved_answer,
    )

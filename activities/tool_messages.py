"""What a tool answered, as the message that a model reads: stored once, a long result whole beside it."""

from activities.contracts.base import INLINE_BYTES, MAX_TEXT
from activities.contracts.calls import ToolErrorKind, ToolRequest, ToolResponse
from activities.contracts.messages import ToolMessage, estimate_tokens
from activities.object_store import ObjectStore
from activities.threads import Threads, preview


class ToolMessages:
    """The messages of tools in the object store."""

    def __init__(self, store: ObjectStore) -> None:
        """Say where they are."""
        self._store, self._threads = store, Threads(store)

    async def store(self, request: ToolRequest, text: str, error: ToolErrorKind | None) -> ToolResponse:
        """Store the message that the model will see; a long result whole beside it, with a preview in the message."""
        # Half a surrogate pair has no UTF-8 form: it would fail the message's encoding after the effect.
        data = text.encode("utf-8", "replace")
        call, scope = request.call, request.key.scope_id
        message = ToolMessage(tool_call_id=call.tool_call_id, tool=call.tool, is_error=error is not None)
        if len(data) <= INLINE_BYTES:
            whole = message.model_copy(update={"text": data.decode("utf-8")})
            return ToolResponse(message=await self._threads.add_message(scope, whole), error=error)
        result = await self._store.put(scope, data)
        ref = await self._threads.add_message(scope, message.model_copy(update={"result": result}))
        ref = ref.model_copy(update={"tokens": estimate_tokens(preview(data, result))})
        return ToolResponse(message=ref, error=error, result=result, size_bytes=len(data))

    async def shown(self, request: ToolRequest, response: ToolResponse) -> ToolResponse:
        """The response with its text, which is stored with the message and only there, for people to see."""
        scope, call_id = request.key.scope_id, request.call.tool_call_id
        if response.message is None:
            return response
        (message,) = await self._threads.load(scope, [response.message.digest])
        if isinstance(message, ToolMessage) and message.tool_call_id != call_id:
            # A record of an earlier run answers a call that the provider has numbered anew.
            text = "" if message.result else message.text
            again = message.model_copy(update={"tool_call_id": call_id, "text": text})
            ref = await self._threads.add_message(scope, again)
            response = response.model_copy(
                update={"message": ref.model_copy(update={"tokens": response.message.tokens})}
            )
        if request.whole and response.result and response.size_bytes <= MAX_TEXT:
            whole = (await self._store.get(scope, response.result)).decode("utf-8")
            return response.model_copy(update={"text": whole, "result": None, "size_bytes": 0})
        return response.model_copy(update={"text": message.text})

"""How a model call's failure leaves the activity."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.contracts.calls import ModelRequest
from activities.contracts.messages import UserMessage
from activities.contracts.profile import AgentProfile, ModelChoice
from activities.contracts.steps import StepKey
from activities.errors import AnswerTooLong, Overloaded, ProviderError, RateLimited
from activities.model_call import ModelActivities
from activities.object_store import ObjectStore
from tests.support.scripted import ScriptedProvider, in_order


@pytest.mark.parametrize(
    ("error", "wait", "choice", "retried"),
    [
        pytest.param(RateLimited, 5, 0, True, id="a short wait"),
        pytest.param(RateLimited, 5.1, 0, False, id="a long wait, and a next model"),
        pytest.param(Overloaded, 600, 0, False, id="overloaded"),
        pytest.param(Overloaded, None, 0, True, id="no wait named"),
        pytest.param(RateLimited, 600, 1, True, id="the last model"),
        pytest.param(AnswerTooLong, None, 1, False, id="as long again"),
    ],
)
async def test_a_long_wait_is_for_the_last_model_of_a_chain(
    tmp_path: Path, error: type[ProviderError], wait: float | None, choice: int, retried: bool
) -> None:
    store = ObjectStore((tmp_path / "store").as_uri())
    models = tuple(ModelChoice(provider="offline", model=model) for model in ("first", "second"))
    request = ModelRequest(
        key=StepKey(scope_id="run", path="a", step="t1"),
        profile=await store.put_model("run", AgentProfile(agent="t/a@1", models=models)),
        choice=choice,
        append=(UserMessage(text="Hi."),),
    )
    delay = None if wait is None else timedelta(seconds=wait)
    provider = ScriptedProvider(in_order(error("no", retry_after=delay)))
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(ModelActivities(store, {"offline": provider}).call_model, request)
    assert caught.value.type == error.kind.value
    assert caught.value.non_retryable is not retried
    assert caught.value.next_retry_delay == (delay if retried else None)
    assert len(provider.calls) == 1

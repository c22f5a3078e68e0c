"""What the activity makes of vectors, of long texts, and of providers that fail."""

import math
import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.contracts.failures import FailureKind
from activities.contracts.similarity import MAX_ALIKE, MAX_SAMPLE_BYTES, EmbedRequest, EmbedResponse
from activities.contracts.steps import StepKey
from activities.embed_call import EmbedActivities
from activities.errors import Overloaded, ProviderTimeout
from activities.object_store import ObjectStore
from activities.providers.base import EmbedAnswer, EmbedCall
from activities.providers.offline_embedding import OfflineEmbedding
from activities.vectors import MAX_PIECE_BYTES, pieces, sample

KEY = StepKey(scope_id="run", path="debate", step="e1")


class Vectors:
    """Answers with what a test says."""

    name = "offline"

    def __init__(self, answer: Callable[[EmbedCall], EmbedAnswer]) -> None:
        self.calls: list[EmbedCall] = []
        self._answer = answer

    async def embed(self, call: EmbedCall) -> EmbedAnswer:
        self.calls.append(call)
        return self._answer(call)


def always(vectors: Any, tokens: int = 5) -> Vectors:
    return Vectors(lambda _: EmbedAnswer(vectors, tokens))


async def embed(
    tmp_path: Path, provider: Any, *texts: str, settled: int | None = None, attempt: int = 1
) -> EmbedResponse:
    """One attempt; ``settled``: so many of those before it say that they cost nothing."""
    environment = ActivityEnvironment()
    known = {"attempt": attempt, "heartbeat_details": [] if settled is None else [settled]}
    environment.info = environment.info.__class__(**{**environment.info.__dict__, **known})
    request = EmbedRequest(key=KEY, provider="offline", model="m", texts=texts, input_usd_per_million=1.0)
    activities = EmbedActivities(ObjectStore((tmp_path / "store").as_uri()), {"offline": provider})
    response: EmbedResponse = await environment.run(activities.embed, request)
    return response


async def test_cosines_are_of_each_pair_whatever_the_lengths_of_the_vectors(tmp_path: Path) -> None:
    got = await embed(tmp_path, always([[3, 0], [0, 0.5], [-1e-200, 0], [1e300, 1e300]]), "a", "b", "c", "d")
    half = round(math.sqrt(0.5), 6)
    assert got.cosines == (0.0, -1.0, half, 0.0, half, -half)
    assert "-0.0" not in repr(got.cosines)
    assert (got.usage.input_tokens, got.usage.model_calls, got.usage.cost_usd) == (5, 1, 0.000005)


@pytest.mark.parametrize(
    "vectors",
    [
        pytest.param([], id="none"),
        pytest.param([[1.0, 0.0]], id="too few"),
        pytest.param([[1.0], [1.0], [1.0]], id="too many"),
        pytest.param([[], []], id="empty"),
        pytest.param([[1.0, 0.0], [1.0]], id="other dimensions"),
        pytest.param([[1.0, math.nan], [1.0, 0.0]], id="no number"),
        pytest.param([[1.0, math.inf], [1.0, 0.0]], id="infinite"),
        pytest.param([[1.0, 0.0], [0.0, 0.0]], id="zero"),
        pytest.param([["1", 0.0], [1.0, 0.0]], id="words"),
        pytest.param([[None, 0.0], [1.0, 0.0]], id="null"),
        pytest.param([[10**400, 0.0], [1.0, 0.0]], id="too large"),
    ],
)
async def test_vectors_that_are_none_are_a_malformed_answer_that_is_paid(
    tmp_path: Path, vectors: Sequence[Sequence[float]]
) -> None:
    provider = always(vectors)
    with pytest.raises(ApplicationError) as caught:
        await embed(tmp_path, provider, "a", "b")
    assert caught.value.type == FailureKind.MALFORMED_ANSWER.value
    assert not caught.value.non_retryable
    assert caught.value.details[0].unsettled_calls == 1
    assert len(provider.calls) == 1


@pytest.mark.parametrize(("error", "unsettled"), [(Overloaded("busy"), 0), (ProviderTimeout("late"), 1)])
async def test_a_failed_attempt_says_what_it_may_have_cost(tmp_path: Path, error: Exception, unsettled: int) -> None:
    def fail(_: EmbedCall) -> EmbedAnswer:
        raise error

    with pytest.raises(ApplicationError) as caught:
        await embed(tmp_path, Vectors(fail), "a", "b")
    assert caught.value.details[0].unsettled_calls == unsettled


async def test_an_attempt_whose_worker_was_lost_is_paid_at_its_estimate(tmp_path: Path) -> None:
    got = await embed(tmp_path, always([[1], [1]], 0), "a" * 40, "b" * 40, settled=1, attempt=3)
    assert (got.attempt, got.usage.model_calls) == (3, 2), "one of two was lost"
    assert (got.usage.input_tokens, got.usage.unsettled_tokens) == (28, 28), "who counts nothing is estimated"


async def test_a_long_text_goes_in_pieces_in_the_same_request_each_counted_by_its_length(tmp_path: Path) -> None:
    by_letter = {"a": [1.0, 0.0], "b": [0.0, 1.0]}
    provider = Vectors(lambda call: EmbedAnswer([by_letter[text[0]] for text in call.texts]))
    long = "a" * MAX_PIECE_BYTES + "b" * (MAX_PIECE_BYTES // 2)
    got = await embed(tmp_path, provider, long, "a", "b")
    assert [len(text) for text in provider.calls[0].texts] == [8000, 4000, 1, 1]
    assert got.cosines == (round(2 / math.sqrt(5), 6), round(1 / math.sqrt(5), 6), 0.0)


async def test_an_answer_that_cannot_be_recorded_is_paid(tmp_path: Path) -> None:
    def answer_and_break_the_store(_: EmbedCall) -> EmbedAnswer:
        shutil.rmtree(tmp_path / "store", ignore_errors=True)
        (tmp_path / "store").touch()
        return EmbedAnswer([[1.0], [1.0]])

    with pytest.raises(ApplicationError) as caught:
        await embed(tmp_path, Vectors(answer_and_break_the_store), "a", "b")
    assert caught.value.type == FailureKind.STORE_UNAVAILABLE.value
    assert caught.value.details[0].unsettled_calls == 1


async def test_a_provider_that_is_not_here_or_has_no_embeddings_is_one_sentence(tmp_path: Path) -> None:
    request = EmbedRequest(key=KEY, provider="anthropic", model="m", texts=("a", "b"))
    activities = EmbedActivities(ObjectStore((tmp_path / "store").as_uri()), {"offline": OfflineEmbedding()})
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(activities.embed, request)
    assert caught.value.type == FailureKind.CONFIGURATION_INVALID.value
    assert caught.value.non_retryable
    assert "OSTINATO_EMBEDDING" in caught.value.details[0].fix


async def test_the_time_of_the_request_is_less_than_the_attempt_s(tmp_path: Path) -> None:
    provider = always([[1], [1]])
    environment = ActivityEnvironment()
    known = {"start_to_close_timeout": timedelta(seconds=70)}
    environment.info = environment.info.__class__(**{**environment.info.__dict__, **known})
    request = EmbedRequest(key=KEY, provider="offline", model="m", texts=("a", "b"))
    activities = EmbedActivities(ObjectStore((tmp_path / "store").as_uri()), {"offline": provider})
    await environment.run(activities.embed, request)
    assert provider.calls[0].timeout_seconds == 60


LETTERS = st.text(st.sampled_from("aé漢😀 \n"), max_size=30)


@given(LETTERS, st.integers(1, 3000))
def test_pieces_are_the_whole_text_and_none_is_too_long(text: str, times: int) -> None:
    whole = text * times
    found = list(pieces(whole))
    assert all(len(piece.encode()) <= MAX_PIECE_BYTES and piece.strip() for piece in found)
    assert "".join("".join(found).split()) == "".join(whole.split())


@given(LETTERS, st.integers(1, 8000))
def test_a_sample_is_bounded_and_has_beginning_and_end(text: str, times: int) -> None:
    whole = text * times
    kept = sample(whole)
    size = len(whole.encode())
    assert len(kept.encode()) <= MAX_SAMPLE_BYTES
    assert kept == whole or size > MAX_SAMPLE_BYTES
    assert whole.startswith(kept[:1000])
    assert whole.endswith(kept[-1000:])


def test_the_largest_request_has_as_many_texts_as_providers_take_in_one() -> None:
    longest = sample("x" * 10 * MAX_SAMPLE_BYTES)
    assert MAX_ALIKE * len(list(pieces(longest))) == 64, "of 100 at Gemini and 2,048 at OpenAI"

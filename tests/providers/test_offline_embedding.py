"""The offline embedding, in figures: what is near, what is far, and what never changes."""

import subprocess
import sys
import time
from itertools import combinations
from operator import mul
from pathlib import Path

import pytest

from activities.errors import ProviderTimeout
from activities.providers.base import EmbedCall, EmbeddingProvider
from activities.providers.offline_embedding import DIMENSIONS, OfflineEmbedding, vector_of
from activities.vectors import MAX_PIECE_BYTES

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
RULE = "Expenses above 500 euros are approved by the head of finance."
BACKUPS = "Backups are kept for 30 days and then deleted."


def cosine(one: str, other: str) -> float:
    return sum(map(mul, vector_of(one), vector_of(other)), 0.0)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        pytest.param("Monolith", "  monolith. ", 1, 1, id="case, space and stops do not count"),
        pytest.param("Café  au\nlait", "cafe\u0301 AU lait", 1, 1, id="nor do accents"),
        pytest.param(RULE, "The head of finance approves expenses above 500 euros.", 0.9, 0.99, id="turned round"),
        pytest.param("We should use PostgreSQL.", "Use PostgreSQL", 0.9, 1, id="the same in fewer words"),
        pytest.param("備份保留三十天", "備份保留三十天。", 0.99, 1, id="a script without spaces"),
        pytest.param("Die Sicherungen werden 30 Tage aufbewahrt.", "Sicherungen bewahren wir 30 Tage auf.", 0.5, 0.9, id="reworded"),
        pytest.param(RULE, RULE.replace("500", "5000"), 0, 0.75, id="another number"),
        pytest.param(RULE, RULE.replace("are", "are not"), 0, 0.89, id="the opposite"),
        pytest.param("Yes, ship it on Friday.", "No, do not ship it on Friday.", 0, 0.6, id="yes and no"),
        pytest.param("We should use PostgreSQL.", "We should use SQLite.", 0, 0.6, id="another name"),
        pytest.param("yes", "no", -0.05, 0.05, id="one word"),
        pytest.param(BACKUPS, "The moon orbits the earth once a month.", -0.1, 0.1, id="nothing in common"),
        pytest.param("備份保留三十天", "今天天氣很好", -0.1, 0.1, id="nothing in common, without spaces"),
        pytest.param("?!", "...", -0.1, 0.1, id="no words at all"),
    ],
)  # fmt: skip
def test_wording_is_compared(one: str, other: str, low: float, high: float) -> None:
    assert low - 1e-9 <= cosine(one, other) <= high + 1e-9


def test_a_light_revision_of_a_draft_is_above_what_two_parts_of_a_document_are() -> None:
    draft = README[:6000]
    revised = draft.replace("run", "execution", 3) + " One more sentence stands at the end."
    assert cosine(draft, revised) > 0.98
    assert cosine(draft, README[20_000:26_000]) < 0.7


def test_sentences_that_share_nothing_stay_near_zero() -> None:
    nothing = [f"{n:x}{'abcdefgh'[n % 8] * 5} {chr(97 + n % 26) * 9}{n} zq{n * 7919}" for n in range(40)]
    values = [abs(cosine(one, other)) for one, other in combinations(nothing, 2)]
    assert sum(values) / len(values) < 0.1


@pytest.mark.parametrize("text", ["a", "ab", "?", "\u0301", "\ud800", "x" * MAX_PIECE_BYTES, "1", "\u200b"])
def test_every_text_has_a_direction(text: str) -> None:
    vector = vector_of(text)
    assert len(vector) == DIMENSIONS
    assert abs(sum(n * n for n in vector) - 1) < 1e-9


def test_it_is_the_same_in_every_process() -> None:
    code = f"from activities.providers.offline_embedding import vector_of; print(vector_of({RULE!r}))"
    made = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert made[0] == made[1] == f"{vector_of(RULE)}\n"


async def test_it_is_a_provider_with_a_bound() -> None:
    provider: EmbeddingProvider = OfflineEmbedding()
    assert isinstance(provider, EmbeddingProvider)
    started = time.process_time()
    answer = await provider.embed(EmbedCall("ngrams", [README[:MAX_PIECE_BYTES]] * 16))
    assert len(answer.vectors) == 16
    assert time.process_time() - started < 5, "0.01 s a piece on an idle core"
    with pytest.raises(ProviderTimeout):
        await provider.embed(EmbedCall("ngrams", [README[:MAX_PIECE_BYTES]] * 16, timeout_seconds=0.0))

"""The offline model on real prose: what it quotes, how it fills contracts, and that it says so where it has nothing."""

import asyncio
import json
import os
import subprocess
import sys
import time

import pytest

from activities.contracts.messages import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage, estimate_tokens
from activities.errors import ProviderTimeout
from activities.providers.base import ProviderCall
from activities.providers.offline import OfflineProvider
from activities.providers.offline_sentences import sentences
from activities.tools.documents import read_document, search_documents
from tests.providers.conversing import (
    CITED,
    NOTHING,
    TOOLS,
    ask,
    checked,
    converse,
)
from tests.tools.folder import HARBOUR, Folder


@pytest.mark.parametrize(
    ("question", "quote"),
    [
        ("How much is a pilot paid?", '"A pilot is paid 12 shillings for each ship." (log.md:8)'),
        ("Who rings the bell when the lamp goes out?", '"When the lamp goes out, the keeper\nrings the bell until it is lit again." (log.md:13)'),
        ("Who signs every bill?", '"The weigher signs\r\nevery bill twice." (rules.txt:2)'),
        ("What duty does salt pay?", '"Salt pays no duty" (rules.txt:5)'),
        ("On which day does the ferry sail?", '"The ferry sails\non Mondays" (docs/a:b ü.md:3)'),
    ],
)  # fmt: skip
async def test_a_question_is_answered_by_the_sentence_that_fits(question: str, quote: str) -> None:
    answer, _, calls = await converse(question, search_documents, read_document)
    assert answer.text.split("\n\n")[0] == quote
    assert calls[0].tool == "search_documents"
    assert json.loads(calls[0].arguments) == {"query": question}
    assert len({(call.tool, call.arguments) for call in calls}) == len(calls) <= 3


@pytest.mark.parametrize(
    "question",
    [
        "Who won the chess world cup?",
        "How do I bake sourdough bread?",
        "¿Qué?",
        "and of the",
        "Which bell hangs in Notre Dame?",
    ],
)
async def test_where_nothing_fits_it_says_so(question: str) -> None:
    answer, _, calls = await converse(question, search_documents, read_document)
    assert answer.text == NOTHING
    assert len(calls) <= 3


async def test_a_contract_is_filled_and_every_quotation_is_right() -> None:
    answer, _, _ = await converse(
        "When do ships wait for a pilot?", search_documents, read_document, output_schema=CITED
    )
    output = json.loads(answer.text)
    assert output["found"] is True
    assert output["quotes"][0] == {
        "quote": "Ships wait\noutside the bar until a pilot comes aboard.",
        "source": "log.md:3",
    }
    assert "Ships wait outside the bar until a pilot comes aboard. (log.md:3)" in output["answer"]
    assert await checked(output) == []


async def test_a_contract_without_evidence_has_no_quotations() -> None:
    answer, _, _ = await converse("Who won the chess world cup?", search_documents, output_schema=CITED)
    assert json.loads(answer.text) == {"answer": NOTHING, "found": False, "quotes": []}


@pytest.mark.parametrize("seed", range(6))
async def test_quotations_are_right_in_difficult_files(seed: int) -> None:
    ends = ["\n", "\r\n", "\n\n", "\x0c\n", "\u2028", " "]
    text = "".join(
        f'{"> " if at % 5 == 0 else ""}Anchor number {at} weighs e.g. {at} tons… "Heavy," says\nMr. Kell. 港口 opens{ends[(at * seed + at) % 6]}'
        for at in range(60)
    )
    folder = Folder({f"weird:{seed}\\n.md": text, "table.md": "| anchor | tons |\n|---|---|\n| big | 7 |\n"})
    answer, _, _ = await converse(
        "How many tons does the big anchor weigh?", *TOOLS.values(), folder=folder, output_schema=CITED
    )
    output = json.loads(answer.text)
    assert output["quotes"]
    assert await checked(output, folder) == []


async def test_a_document_in_the_prompt_is_quoted_with_its_line() -> None:
    prompt = "Who rings the bell when the lamp goes out?\n\n" + HARBOUR
    answer = await ask([UserMessage(text=prompt)])
    assert answer.text.startswith(
        '"When the lamp goes out, the keeper\nrings the bell until it is lit again." (prompt:15)'
    )


async def test_the_question_itself_is_no_evidence() -> None:
    assert (await ask([UserMessage(text="Who rings the bell? I ask who rings the bell?")])).text == NOTHING
    assert (await ask([UserMessage(text="")])).text == NOTHING
    assert (await ask([])).text == NOTHING


async def test_chinese_documents_are_quoted_by_sentence() -> None:
    folder = Folder({"zh.md": "港口在黎明开放。灯塔看守人敲钟。船只等待。"})
    answer, _, _ = await converse("谁敲钟\uff1f", search_documents, folder=folder)
    assert answer.text == '"灯塔看守人敲钟。" (zh.md:1)'


def test_code_and_separators_are_no_sentences() -> None:
    found = [HARBOUR[item.start : item.end] for item in sentences(HARBOUR)]
    assert "No ship enters after dark." in found
    assert not [text for text in found if "---" in text or "light --lamp" in text or text.startswith(("#", "-", "`"))]


async def test_a_correction_drops_the_quotations_it_names() -> None:
    question = "What does a pilot do?"
    answer, messages, _ = await converse("Which ship pays a pilot?", search_documents, output_schema=CITED)
    output = json.loads(answer.text)
    wrong = output["quotes"][0]
    problems = await checked([{**wrong, "quote": wrong["quote"] + " indeed"}])
    messages.append(UserMessage(text="Your answer cannot be used:\n- " + "\n- ".join(problems)))
    again = json.loads((await ask(messages, search_documents, output_schema=CITED)).text)
    assert wrong not in again["quotes"]
    assert question != again["answer"]
    assert await checked(again) == []


async def test_a_summary_keeps_sentences_and_sources_and_replaces_the_conversation() -> None:
    question = "Who rings the bell when the lamp goes out?"
    _, messages, _ = await converse(question, search_documents, read_document)
    request = UserMessage(text="Summarise the conversation so far.")
    summary = await ask([*messages, request], search_documents)
    assert "(log.md:13)" in summary.text
    assert (await ask([*messages, request], max_output_tokens=9)).text == NOTHING
    shorter = await ask(
        [UserMessage(text=question), UserMessage(text=summary.text)], search_documents, output_schema=CITED
    )
    output = json.loads(shorter.text)
    assert output["quotes"][0]["source"] == "log.md:13"
    assert await checked(output) == []


@pytest.mark.parametrize("limit", [2000, 120, 60, 40, 20])
async def test_the_token_limit_takes_sentences_away_but_leaves_a_valid_answer(limit: int) -> None:
    _, messages, _ = await converse("What is a pilot paid and when do ships wait?", search_documents)
    plain = await ask(messages[:-1], max_output_tokens=limit)
    assert estimate_tokens(plain.text) <= limit
    if limit >= 40:
        output = json.loads((await ask(messages[:-1], output_schema=CITED, max_output_tokens=limit)).text)
        assert await checked(output) == []


async def test_usage_is_estimated_from_what_was_said() -> None:
    short = await ask([UserMessage(text="Who?")])
    long = await ask([UserMessage(text="Who?" + " Nobody knows." * 400)])
    assert long.input_tokens - short.input_tokens > 1000
    assert short.output_tokens == estimate_tokens(NOTHING)


async def test_labels_are_chosen_by_similarity() -> None:
    schema = {
        "type": "object",
        "properties": {"topic": {"enum": ["billing", "shipping_delay", "login-problem", "other"]}},
        "required": ["topic"],
    }
    for text, label in [
        ("My parcel is delayed and shipping takes weeks.", "shipping_delay"),
        ("I can not log in, the login page has a problem.", "login-problem"),
        ("You billed me twice, what about the billing?", "billing"),
        ("The weather is fine.", "other"),
    ]:
        assert json.loads((await ask([UserMessage(text=text)], output_schema=schema)).text) == {"topic": label}


async def test_fifty_kilobytes_are_read_quickly_and_off_the_event_loop() -> None:
    prompt = "Who rings the bell when the lamp goes out?\n\n" + "\n\n".join(
        HARBOUR.replace("lamp", f"lamp {at}") for at in range(104)
    )
    assert len(prompt) > 50_000
    times = []
    for _ in range(5):
        began = time.perf_counter()
        await OfflineProvider().request(ProviderCall("any", "", [UserMessage(text=prompt)], output_schema=CITED))
        times.append(time.perf_counter() - began)
    assert min(times) < 0.25  # 30 ms where the machine is free
    with pytest.raises(ProviderTimeout):
        await OfflineProvider().request(ProviderCall("any", "", [UserMessage(text=prompt)], timeout_seconds=1e-9))


async def test_enormous_and_hostile_texts_end_soon() -> None:
    for text in (
        "x" * 250_000,
        "a. " * 80_000,
        "{" * 100_000,
        '"' * 100_000,
        "[" * 100_000,
        "# " * 100_000,
        "> " * 90_000,
        "|" * 250_000,
    ):
        call = ToolCall(tool_call_id="c", tool="t", arguments="{")
        messages: list[Message] = [
            UserMessage(text="Who rings?\n\n" + text),
            AssistantMessage(tool_calls=(call,)),
            ToolMessage(tool_call_id="c", tool="t", text=text),
        ]
        async with asyncio.timeout(15):
            assert (await OfflineProvider().request(ProviderCall("any", "", messages, output_schema=CITED))).text


def test_every_process_gives_the_same_answer() -> None:
    program = (
        "import asyncio, sys\n"
        "sys.path.insert(0, '.')\n"
        "from tests.providers.conversing import *\n"
        "from tests.tools.folder import Folder\n"
        "answer, messages, _ = asyncio.run(converse('When do ships wait for a pilot at the bar?', *TOOLS.values(), output_schema=CITED))\n"
        "print(answer, messages)\n"
        "names = 'alder birch cedar ebony hazel larch maple olive'.split()\n"
        "equal = Folder({'a.md': ' '.join(f'The {name} anchor rests.' for name in names)})\n"
        "print(asyncio.run(converse('Which anchor rests?', search_documents, folder=equal))[0].text)\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2", "77")
    }
    assert len(outputs) == 1
    assert b"log.md:3" in outputs.pop()


async def test_constraints_are_neither_asked_nor_quoted() -> None:
    question = "How much is a pilot paid?"
    free, _, searched = await converse(question, search_documents, read_document)
    held, _, again = await converse(
        f"{question}\n\nWhat holds for all of it:\n- No names of customers.\n- Who rings the bell?",
        search_documents,
        read_document,
    )
    assert (held.text, [c.arguments for c in again]) == (free.text, [c.arguments for c in searched])

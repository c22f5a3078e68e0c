"""The team ``expenses``: every line in one state, money counted by code, suspicious lines for a person."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench, Workers
from tests.support.scripted import says, says_json
from tests.support.supervision import subtask_id
from workers.team_file import load_team
from workflows.contracts import RunResult, RunStatus

TEAM = load_team("scripts/teams/expenses.yaml")
SAMPLE = Path("scripts/teams/samples/expenses.csv")
CATEGORIES = ("flight", "train", "taxi", "hotel", "restaurant", "office supplies", "software", "telephone")


def clerk(call: ProviderCall, index: int) -> ProviderAnswer:
    """A model with some sense: it looks for a word of the line."""
    del index
    text = call.messages[0].text.partition("This is subtask")[0].partition("?")[2].lower()
    answer: dict[str, Any] = {"subtask_id": subtask_id(call)}
    if "category" in call.instructions:
        answer["category"] = next((name for name in CATEGORIES if name in text), "other")
    elif "speaks against" in call.instructions:
        answer["objection"] = next((word for word in ("gift", "alcohol", "fine") if word in text), "none")
        answer["reason"] = "it says so"
    else:
        answer["note"] = "Ask for the receipt."
    return says_json(answer)


async def artifact(bench: Bench, result: RunResult, run_id: str, name: str) -> str:
    ref = next(ref for ref in result.artifacts if ref.name == name)
    return (await bench.deployment.store.get(run_id, ref.digest)).decode()


async def test_every_line_ends_in_one_state_with_its_reason_and_exact_sums(workers: Workers) -> None:
    async with workers(clerk) as bench:
        run = await bench.admit(TEAM, "Settle these expenses.", folder=SAMPLE)
        result = await bench.finish(run)
        table = list(csv.DictReader(io.StringIO(await artifact(bench, result, run.scope_id, "expenses.csv"))))
        report = await artifact(bench, result, run.scope_id, "expenses.md")
        prompts = "\n".join(m.text for call in bench.provider.calls for m in call.messages)
    assert result.status is RunStatus.COMPLETE, result
    output: Any = result.output
    states = {line["line"].removeprefix("expenses.csv:"): line["state"] for line in table}
    assert states == {
        **dict.fromkeys(["2", "3", "4", "5", "7", "9"], "approved"),
        **dict.fromkeys(["6", "8", "10", "11", "12", "13", "17"], "suspicious"),
        **dict.fromkeys(["14", "15", "16"], "rejected"),
    }  # fmt: skip
    assert output["counts"] == {"approved": 6, "rejected": 3, "suspicious": 7}
    assert output["totals"]["approved"] == {"EUR": "957.65"}
    assert output["totals"]["suspicious"]["USD"] == "149.00"
    assert output["approved_by_category"]["train"] == {"EUR": "22.80"}
    reasons = {line["line"]: "; ".join(line["reasons"]) for line in output["for_a_person"]}
    assert "the same date, person, merchant and amount as expenses.csv:7" in reasons["expenses.csv:8"]
    assert "131.90 EUR is over the limit of 80 for restaurant" in reasons["expenses.csv:6"]
    assert reasons["expenses.csv:10"] == "gift: it says so"
    assert reasons["expenses.csv:12"] == "it is in USD, and limits are in EUR"
    assert "a formula" in reasons["expenses.csv:13"]
    assert all(line["note"] == "Ask for the receipt." for line in output["for_a_person"])
    for line in csv.DictReader(SAMPLE.read_text().splitlines()):
        assert not line["Amount"] or line["Amount"] not in prompts, "no model sees an amount"
    assert "the limit for restaurant" in prompts
    assert "of 80" not in prompts
    assert output["notes_dropped"] == 0
    assert next(line for line in table if line["line"].endswith(":13"))["description"].startswith("'=HYPERLINK")
    assert "## For a person to decide" in report


async def test_a_model_that_lies_puts_no_amount_into_any_file(workers: Workers) -> None:
    def lying(call: ProviderCall, index: int) -> ProviderAnswer:
        answer = json.loads(clerk(call, index).text)
        if "objection" in answer:
            answer |= {"objection": "private", "reason": "The price of 77.77 € is a lie."}
        return says_json(answer | {"note": "Pay 77.77 EUR."} if "note" in answer else answer)

    async with workers(lying) as bench:
        run = await bench.admit(TEAM, "Settle these expenses.", folder=SAMPLE)
        result = await bench.finish(run)
        files = [await artifact(bench, result, run.scope_id, f"expenses.{kind}") for kind in ("csv", "json", "md")]
    output: Any = result.output
    assert output["counts"] == {"rejected": 3, "suspicious": 13}
    assert output["notes_dropped"] == 26
    assert all("77" not in text for text in (*files, json.dumps(output)))


async def test_more_lines_than_one_part_has_all_end_in_their_state(workers: Workers, tmp_path: Path) -> None:
    rows = [f"2026-01-{n % 28 + 1:02},P{n},Bahn {n},Train ticket {n},{n}.10,EUR" for n in range(1, 121)]
    (tmp_path / "x.csv").write_text("date,employee,merchant,description,amount,currency\n" + "\n".join(rows) + "\n")
    async with workers(clerk) as bench:
        result = await bench.run(TEAM, "Settle these expenses.", folder=tmp_path)
        prompts = [call.messages[0].text for call in bench.provider.calls]
    assert result.status is RunStatus.COMPLETE, result
    output: Any = result.output
    assert output["counts"] == {"approved": 120}
    assert output["approved_by_category"] == {"train": {"EUR": "7272.00"}}
    assert len(prompts) == 240
    assert all(prompt.count("Bahn") == 1 for prompt in prompts), "each worker sees its own line only"


async def test_lines_that_no_worker_manages_are_for_a_person_too(workers: Workers) -> None:
    def failing(call: ProviderCall, index: int) -> ProviderAnswer:
        return says("no") if "Lufthansa" in call.messages[0].text else clerk(call, index)

    async with workers(failing) as bench:
        result = await bench.run(TEAM, "Settle these expenses.", folder=SAMPLE)
    assert result.status is RunStatus.PARTIAL
    output: Any = result.output
    lost = next(line for line in output["for_a_person"] if line["line"] == "expenses.csv:2")
    assert (lost["state"], lost["amount"]) == ("unprocessed", "312.40")
    assert output["totals"]["unprocessed"] == {"EUR": "312.40"}
    assert sum(output["counts"].values()) == output["lines"] == 16


async def test_a_model_that_fails_always_leaves_every_line_accounted_for(workers: Workers) -> None:
    async with workers(lambda *_: says("no")) as bench:
        result = await bench.run(TEAM, "Settle these expenses.", folder=SAMPLE)
    output: Any = result.output
    assert result.status is RunStatus.PARTIAL
    assert output["counts"]["rejected"] == 3
    assert "approved" not in output["counts"]
    assert sum(output["counts"].values()) == 16


async def test_a_file_without_its_columns_rejects_its_lines_and_spends_nothing(
    workers: Workers, tmp_path: Path
) -> None:
    (tmp_path / "x.csv").write_text("what,when\na,b\nc,d\n")
    async with workers(clerk) as bench:
        result = await bench.run(TEAM, "Settle these expenses.", folder=tmp_path)
        assert not bench.provider.calls
    output: Any = result.output
    assert output["counts"] == {"rejected": 2}
    assert "no column date" in json.dumps(output["rejected"])

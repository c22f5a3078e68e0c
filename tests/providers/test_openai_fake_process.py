"""The scripted server as a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

SCRIPT = """
from tests.providers.fake_openai import text, tool_call

script = [tool_call("search", "{}")]

def respond(request):
    return text("heard " + request["messages"][-1]["content"])
"""


@pytest.mark.serial
def test_it_prints_its_address_answers_by_script_and_ends_on_sigterm(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "tests.providers.fake_openai", "--script", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            with httpx.Client(trust_env=False) as client:
                body = {"messages": [{"role": "user", "content": "you"}]}
                answers = [client.post(f"{address}/chat/completions", json=body).json() for _ in range(2)]
                recorded = client.get(address.removesuffix("/v1") + "/requests").json()
        finally:
            os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0
    assert answers[0]["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "search"
    assert answers[1]["choices"][0]["message"]["content"] == "heard you"
    assert [entry["body"] for entry in recorded] == [body, body]

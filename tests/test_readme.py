"""The README's client script runs as it is written; its claims about commands and settings are those of the code."""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.conftest import Workers
from tests.support.scripted import in_order, says_json
from workers.server import ServerInfo
from workers.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


async def test_the_client_script_runs_as_it_is_written(
    workers: Workers, server: ServerInfo, settings: Settings
) -> None:
    section = README.partition("\n## A client script\n")[2].partition("\n## ")[0]
    (script,) = re.findall(r"```python\n(import asyncio\n.*?)```", section, re.DOTALL)
    assert len([line for line in script.splitlines() if line.strip()]) <= 25
    answer = {"found": False, "answer": "not in these documents", "quotes": []}
    environment = {**os.environ, "TEMPORAL_ADDRESS": server.address, "OSTINATO_HOME": str(settings.home)}
    async with workers(in_order(says_json(answer))):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    assert b"researcher: turn 1 done" in output
    assert b"complete {'found': False, 'answer': 'not in these documents', 'quotes': []}" in output


def test_every_setting_is_in_the_readme_and_every_one_there_exists() -> None:
    known = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        known.add(str(alias.choices[0]) if alias and not isinstance(alias, str) else f"OSTINATO_{name.upper()}")  # type: ignore[union-attr] # AliasChoices
    told = set(re.findall(r"`((?:OSTINATO|OPENAI|ANTHROPIC|GEMINI|OTEL)_[A-Z_]+)`", README))
    assert known - told <= {"XDG_CACHE_HOME"}
    assert told <= known | {"OSTINATO_PYTHON"}

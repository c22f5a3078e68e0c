"""Many runs at once in one set of workers: each has a goal that names its case, and its own script."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from activities.contracts.messages import UserMessage
from activities.providers.base import ProviderCall

Play = Callable[[str, ProviderCall], Any]
"""Gets the agent's name and its request; returns or awaits to an answer, or raises."""
_CASE = re.compile(r"\[(\w+)\]")


class Cases:
    """A script that looks up the case in the prompt, and keeps the calls of each."""

    def __init__(self, plays: Mapping[str, Play]) -> None:
        self._plays = plays
        self.calls: defaultdict[str, list[tuple[str, ProviderCall]]] = defaultdict(list)

    def __call__(self, call: ProviderCall, index: int) -> Any:
        del index
        said = " ".join(message.text for message in call.messages if isinstance(message, UserMessage))
        found = _CASE.search(said)
        assert found, said
        name = call.instructions.removeprefix("You are ").split(".")[0]
        self.calls[found[1]].append((name, call))
        return self._plays[found[1]](name, call)

    def of(self, case: str, name: str) -> list[ProviderCall]:
        """The calls of one agent in one case."""
        return [call for who, call in self.calls[case] if who == name]


def agents(*names: str, **fields: Any) -> dict[str, Any]:
    """Agents that a case knows by their names."""
    limits = {"model_calls": 30, "tool_calls": 2, "turns": 3}
    return {name: {"instructions": f"You are {name}.", "tier": "small", "limits": limits, **fields} for name in names}


async def all_of(**runs: Awaitable[Any]) -> dict[str, Any]:
    """Await runs side by side; what each came to, by its name."""
    async with asyncio.timeout(60):
        return dict(zip(runs, await asyncio.gather(*runs.values()), strict=True))

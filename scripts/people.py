"""What a run waits for, of people."""

import time
from typing import Any

from temporalio.client import Client

from workers.inbox import open_tasks


async def waiting_objects(client: Client, run_id: str) -> list[dict[str, Any]]:
    """The run's open human tasks, nested ones included, oldest first."""
    found = (await open_tasks(client, time.time(), run_id=run_id)).tasks
    return [
        {
            "task_id": view.task_id,
            "step": view.step,
            "question": " ".join(view.question.split())[:200],
            "people": list(view.people),
            "choices": "|".join(f"--{choice}" for choice in view.choices),
            "deadline": view.deadline,
        }
        for view in found
    ]

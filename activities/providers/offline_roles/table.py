"""Which part a request asks for: its contract and its prompt say so. The first that recognises itself plays."""

from collections.abc import Callable

from activities.providers.offline_roles import (
    batches,
    briefs,
    classifier,
    debater,
    drafter,
    editor,
    monitor_judge,
    peer,
    summariser,
    task_planner,
    verdicts,
)
from activities.providers.offline_roles.base import Request, Role

ROLES: tuple[Callable[[Request], Role | None], ...] = (
    classifier.recognise,
    debater.recognise,
    editor.recognise,
    monitor_judge.recognise,
    verdicts.recognise,
    task_planner.recognise,
    peer.recognise,
    batches.recognise,
    briefs.recognise,
    drafter.recognise,
    summariser.recognise,
)
"""Those with the narrowest contract first."""


def role_of(request: Request) -> Role | None:
    """The part; nothing where an answer from documents is asked for."""
    return next((role for recognise in ROLES if (role := recognise(request)) is not None), None)

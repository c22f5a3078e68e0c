"""What the keeper starts: brought back a bounded number of times, and never mistaken for a stranger."""

import subprocess
import time
from collections import deque

import pytest

from tests.workers.server.server_support import alive, until
from workers.server_child import MAX_RESTARTS, Child, GivenUp
from workers.server_state import Folder, State, end_leftovers, identity

pytestmark = [pytest.mark.serial, pytest.mark.usefixtures("plain_environment")]


@pytest.fixture
def short_lived(folder: Folder) -> Child:
    folder.path.mkdir(parents=True)
    return Child("server", ["sh", "-c", "exit 1"], folder)


async def test_a_program_that_keeps_ending_is_given_up(short_lived: Child) -> None:
    short_lived.deaths = deque([time.monotonic() - 60] * MAX_RESTARTS)
    short_lived.start()
    with pytest.raises(GivenUp, match=r"ended 21 times within 10 minutes, see .*server\.log"):
        await until(short_lived.tend, 10)


async def test_old_deaths_are_forgotten(short_lived: Child) -> None:
    short_lived.deaths = deque([time.monotonic() - 700] * MAX_RESTARTS)
    short_lived.start()
    await until(short_lived.tend, 10)
    assert len(short_lived.deaths) == 1
    short_lived.stop(time.monotonic() + 5)


async def test_restarts_come_slower_and_slower(short_lived: Child) -> None:
    short_lived.deaths = deque([time.monotonic()] * 10)
    short_lived.start()
    await until(lambda: short_lived.tend() or short_lived.due)
    assert short_lived.due
    assert short_lived.due - time.monotonic() > 5


def test_only_what_is_provably_ours_is_ended() -> None:
    """The same pid with another start time is another program."""
    with subprocess.Popen(["sleep", "60"]) as left:
        known = identity(left.pid)
        end_leftovers(State(1, "ready", server_pid=left.pid, server_identity="1 " + known.partition(" ")[2]))
        assert alive(left.pid)
        end_leftovers(State(1, "ready", server_pid=left.pid, server_identity=known))
        assert not alive(left.pid)

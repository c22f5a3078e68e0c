"""The short form of ``tests.deployment.postgres_topology``, where this machine has what it needs."""

import pytest

from tests.deployment.postgres_topology import tried
from tests.deployment.stack import Missing


@pytest.mark.serial
@pytest.mark.timeout(900)  # the first time on a machine the schema tool is built
def test_a_run_on_postgresql_outlives_a_worker_and_the_server() -> None:
    try:
        took = tried(print, short=True)
    except Missing as error:
        pytest.skip(f"the topology on PostgreSQL is NOT tried: this machine has no {error}")
    assert [what for what in took if "killed" in what] == [
        "a worker of tools killed",
        "the server killed while tools had a call",
    ]

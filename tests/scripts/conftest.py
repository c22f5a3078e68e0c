"""Users with folders of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scripts.support import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """A user whom nobody shares; nothing of theirs may be left running."""
    user = Cli(tmp_path / "user")
    yield user
    user.all_gone()


@pytest.fixture(scope="module")
def new_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Cli]]:
    """Makes users that a whole file shares."""
    made: list[Cli] = []

    def make() -> Cli:
        made.append(Cli(tmp_path_factory.mktemp("user")))
        return made[-1]

    yield make
    for user in made:
        user.all_gone()

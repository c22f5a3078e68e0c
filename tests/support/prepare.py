"""Makes sure that a server program is there before tests with short deadlines ask for one."""

import asyncio
import tempfile
from pathlib import Path

from workers.server import dev_server


async def main() -> None:
    """Start a server once and end it."""
    with tempfile.TemporaryDirectory() as home:
        async with dev_server(Path(home), notify=print):
            pass


if __name__ == "__main__":
    asyncio.run(main())

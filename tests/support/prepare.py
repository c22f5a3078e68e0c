"""Makes sure that a server program and moto are there before tests with short deadlines ask for them."""

import asyncio
import tempfile
from pathlib import Path

from tests.support import moto
from workers.server import dev_server


async def main() -> None:
    """Start a server once and end it; install moto once."""
    with tempfile.TemporaryDirectory() as home:
        async with dev_server(Path(home), notify=print):
            pass
    await asyncio.to_thread(moto.prepare, print)


if __name__ == "__main__":
    asyncio.run(main())

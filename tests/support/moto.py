"""moto's S3 server as a process of its own, from an environment of its own: it is no dependency of ours.

The environment is made once, from ``moto.lock`` beside this file, and kept in the cache folder. After a change of
``moto.in``: ``uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url moto.in -o moto.lock``.
"""

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from workers.settings import child_environment, load_settings

HERE = Path(__file__).parent
LOCK = HERE / "moto.lock"
INSTALL_SECONDS = 300.0
"""27 packages, 16 s on two cores."""
_SIGNED = "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


def prepare(notify: Callable[[str], None] = lambda _: None) -> Path:
    """The Python of moto's environment, which is made where it is missing."""
    mark = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = load_settings().cache / f"moto-{mark}"
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # test processes side by side make it once
        if not (folder / "ready").exists():
            notify("installing moto, an S3 server for tests, into the cache folder (once)")
            shutil.rmtree(folder)
            _run(sys.executable, "-m", "venv", str(folder))
            _run(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK))
            (folder / "ready").touch()
    return folder / "bin" / "python"


@contextmanager
def moto_server() -> Iterator[str]:
    """A server; its address."""
    process = subprocess.Popen(
        [prepare(), "-P", HERE / "moto_process.py"],  # -P: this file is not the moto that it imports
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=child_environment(MOTO_S3_DEFAULT_MAX_KEYS="100"),  # so that some hundred objects take several pages
    )
    assert process.stdin
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait(timeout=10)
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


def make_bucket(endpoint: str, name: str) -> None:
    """Make a bucket. moto looks at who signed, not at the signature."""
    answer = httpx.put(f"{endpoint}/{name}", headers={"Authorization": _SIGNED}, timeout=10)
    assert answer.status_code == 200, answer.text


def demand_credentials(endpoint: str, *, after: str) -> None:
    """From now on moto refuses keys that it does not know, ``after`` so many requests."""
    httpx.post(f"{endpoint}/moto-api/reset-auth", content=after, timeout=10).raise_for_status()


def _run(*command: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert ended.returncode == 0, f"{command[1:4]} failed: {ended.stdout[-500:]}{ended.stderr[-1500:]}"

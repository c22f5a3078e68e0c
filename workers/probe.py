"""Asks the health endpoint of this machine: ``python -m workers.probe PORT [PATH]`` ends with 0 where it says yes.

For containers without curl. The standard library only, and no proxy: it is started every few seconds.
"""

import http.client
import sys

SECONDS = 3.0


def probe(port: int, path: str) -> int:
    """Exit code: 0 where the answer is 200, 1 where it is another, or none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        sys.stdout.write(answer.read(1024).decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer: {error}\n")
        return 1
    finally:
        connection.close()
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(probe(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "/readyz"))

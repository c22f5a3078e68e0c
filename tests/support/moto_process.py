"""Run by the Python of moto's own environment: moto's S3 server on a free port of loopback, printed as its first line.

Each request runs alone. S3 decides and writes in one step; moto looks and then writes, and would let two writers win.
"""

import importlib
import sys
import threading
from collections.abc import Iterable
from typing import Any


def main() -> None:
    """Serve until stdin closes, which it does when whoever started us has died."""
    werkzeug_app = importlib.import_module("moto.moto_server.werkzeug_app")
    serving = importlib.import_module("werkzeug.serving")
    moto = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
    one_at_a_time = threading.Lock()

    def application(environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with one_at_a_time:
            answer: Iterable[bytes] = moto(environment, start_response)
            return answer

    server = serving.make_server("127.0.0.1", 0, application, True)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()

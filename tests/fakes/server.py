"""The service on a real port, in a thread of its own, for clients that block."""

from __future__ import annotations

import threading
import time

import uvicorn
from fastapi import FastAPI


class ThreadedServer:
    """`with ThreadedServer(app) as url:` gives the address, without a path."""

    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(
            app, port=0, lifespan="on", ws="none", log_config=None, timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        """Start and wait until the port is open."""
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the service did not start; see its log"
            time.sleep(0.005)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *exc: object) -> None:
        """Stop and wait for the thread."""
        self._server.should_exit = True
        self._thread.join()

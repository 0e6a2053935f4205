"""`python -m evaluators.view [RESULTS]`: a results folder in the browser, runs in progress included. It only reads."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

from srgen.command_line import Parser, called, command
from srgen.errors import ConfigError
from srgen.extras import install

HEAD_START = 1.0
"""Seconds that reading the journals gets before the address is told: in most folders they are then read."""


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; the exit status."""
    options = _parser().parse_args(arguments)
    serve(options.results, options.host, options.port, options.token)
    return 0


def serve(results: Path, host: str, port: int, token: str | None) -> None:
    """Bind, print the address, serve. Raises SRGenError for what the user has to change."""
    try:
        import pandas  # noqa: F401  the first page reads tables: whoever opens it should not wait for the import
        import uvicorn

        from evaluators.viewer.app import create_app
    except ImportError as error:
        raise ConfigError(f"the view needs {error.name}: {install('view')}") from error
    from evaluators.viewer.guard import Guard, is_loopback
    from evaluators.viewer.library import Library

    if not is_loopback(host) and token is None:
        token = secrets.token_urlsafe(24)
    library = Library(results.expanduser())
    warming = threading.Thread(target=library.warm, daemon=True)
    warming.start()
    app = create_app(library, Guard(host, token))
    bound = _bind(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{bound.getsockname()[1]}/" + (f"?token={token}" if token else "")
    warming.join(HEAD_START)
    print(f"Showing {results} at {address} (Ctrl-C ends it)", flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1))
    try:
        server.run(sockets=[bound])
    except KeyboardInterrupt:
        print()


def _bind(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port must lie between 0 and 65535, not be {port}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()  # the address may be opened as soon as it is printed
    except OSError as error:
        raise ConfigError(
            f"cannot serve on {host}:{port} ({error.strerror}); give another --port, or 0 for a free one"
        ) from None
    return bound


def _parser() -> Parser:
    parser = Parser(prog=called("view", "evaluators.view"), description="Runs in the browser, live.")
    parser.add_argument(
        "results", nargs="?", type=Path, default=Path("results"), help="folder with runs (default: %(default)s)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s, this machine only)")
    parser.add_argument(
        "--port", type=int, default=8765, help="port to bind; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--token", help="what a browser must show; made up where --host is not this machine's own address"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m srgen.server`: settings, the model, then uvicorn until SIGTERM, which lets running requests end."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from srgen.command_line import Parser, called, command
from srgen.config import SRGenConfig
from srgen.errors import ConfigError
from srgen.extras import install
from srgen.field_docs import field_docs
from srgen.server.settings import METHOD, OWN, ServerConfig, read_file

KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: clients that share a busy machine come back later than uvicorn's 5."""


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; the exit status. A user's mistake is one sentence on stderr and status 2."""
    serve(settings(arguments))
    return 0


def settings(arguments: Sequence[str] | None = None) -> ServerConfig:
    """The settings of a command line: its flags win over its file. Raises ConfigError."""
    parser = Parser(prog=called("serve", "srgen.server"), description="OpenAI-compatible server with SRGen.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="JSON file with any of these settings")
    meanings = field_docs(ServerConfig) | field_docs(SRGenConfig)
    for name, (kind, default) in (OWN | METHOD).items():
        options: dict[str, Any] = {"action": argparse.BooleanOptionalAction} if kind == "bool" else {"metavar": kind}
        parser.add_argument(f"--{name}", default=None, help=_help(meanings[name], default), **options)
    flags = vars(parser.parse_args(arguments))
    path = flags.pop("config")
    values = read_file(path) if path is not None else {}
    if "SRGEN_API_KEY" in os.environ:
        values.setdefault("api_key", os.environ["SRGEN_API_KEY"])
    return ServerConfig.from_mapping(values | {name: value for name, value in flags.items() if value is not None})


def _help(meaning: str, default: Any) -> str:
    shown = ("off", "on")[default] if isinstance(default, bool) else "none" if default is None else default
    return f"{meaning} [default: {shown}]".replace("%", "%%")


def serve(config: ServerConfig) -> None:
    """Load the model and answer requests until told to stop. Raises SRGenError."""
    try:
        import uvicorn

        from srgen.server.app import create_app
    except ImportError as error:
        raise ConfigError(f"the server needs {error.name}: {install('server')}") from error
    from srgen.engines.transformers.engine import TransformersEngine

    app = create_app(config, TransformersEngine.load(config.engine))
    try:
        uvicorn.run(app, host=config.host, port=config.port, log_level="info", timeout_keep_alive=KEEP_ALIVE)
    except SystemExit as error:
        raise ConfigError(f"cannot serve on {config.host}:{config.port}; is the port in use?") from error


if __name__ == "__main__":
    raise SystemExit(main())

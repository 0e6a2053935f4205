"""What all commands share: what they are called, one sentence for a mistake, and the exit status."""

from __future__ import annotations

import functools
import logging
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, ParamSpec

from srgen.errors import ConfigError, SRGenError
from srgen.suggest import unknown_name

P = ParamSpec("P")
SCRIPT = "srgen"
"""The console script, whose subcommands are the modules that `python -m` runs."""
DONE, FAILED, USAGE_ERROR, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses."""


def called(subcommand: str, module: str) -> str:
    """What the user has typed to get here: `srgen compare`, or `python -m evaluators.compare`."""
    return f"{SCRIPT} {subcommand}" if Path(sys.argv[0]).stem == SCRIPT else f"python -m {module}"


def command(main: Callable[P, int]) -> Callable[P, int]:
    """Make of a function a command: it prints a mistake as one sentence on stderr, and returns an exit status.

    2 for an SRGenError or a file that cannot be read or written, 130 for Ctrl-C.
    """

    @functools.wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        _prepare_output()
        try:
            status = main(*args, **kwargs)
            if sys.stdout is not None:  # it is None where the caller has closed it
                sys.stdout.flush()
        except BrokenPipeError:
            # Who read the output (`head`, say) has gone; Python would say so once more when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return FAILED
        except SRGenError as error:
            tell(str(error))
            return USAGE_ERROR
        except OSError as error:
            tell(reason(error))
            return USAGE_ERROR
        except KeyboardInterrupt:
            return INTERRUPTED
        return status

    return run


def given(arguments: Sequence[str] | None) -> list[str]:
    """The arguments; those of this process where there are none."""
    return list(sys.argv[1:] if arguments is None else arguments)


def tell(mistake: str) -> None:
    """Say on stderr what was wrong."""
    print(f"error: {mistake}", file=sys.stderr)


def reason(error: OSError) -> str:
    """What the system says, with the file, without its number."""
    if error.strerror is None:
        return str(error)
    files = [repr(str(name)) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([error.strerror, *files])


class Parser(ArgumentParser):
    """argparse, but a mistake is a ConfigError, and an unknown flag brings the nearest ones to mind."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Namespace:  # type: ignore[override]
        """See argparse. Raises ConfigError."""
        found: Namespace
        found, rest = self.parse_known_args(given(args), namespace)
        if rest:
            raise self._unknown(rest[0])
        return found

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError, where argparse prints how the command is used and exits."""
        raise ConfigError(f"{message} (see {self.prog} --help)")

    def _unknown(self, argument: str) -> ConfigError:
        name = argument.split("=", maxsplit=1)[0]
        if not name.startswith("-"):
            return ConfigError(f"unexpected argument {argument!r} (see {self.prog} --help)")
        return unknown_name("flag", name, self._option_string_actions, help_with=f"{self.prog} --help")


def _prepare_output() -> None:
    logging.basicConfig(format="%(levelname)s: %(message)s", stream=sys.stderr)
    logging.addLevelName(logging.WARNING, "warning")
    for stream in (sys.stdout, sys.stderr):
        # Answers hold every character; a terminal of another encoding than UTF-8 does not.
        if hasattr(stream, "reconfigure") and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")

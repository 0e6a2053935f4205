"""One value per flag: the command line wins over the YAML file, that over the environment, that over the defaults."""

from __future__ import annotations

import logging
import os
from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators.benchmarks.benchmark import Benchmark
from evaluators.settings.flags import BY_NAME, FLAGS, GROUPS, REPLACED
from evaluators.settings.other_tools import meant
from evaluators.settings.record import flags_of, is_record
from srgen.command_line import Parser, called
from srgen.config import FALSE, TRUE, SRGenConfig
from srgen.errors import ConfigError
from srgen.methods.registry import SRGEN, parse
from srgen.suggest import unknown_name
from srgen.yaml_file import read_yaml

log = logging.getLogger(__name__)

ENVIRONMENT = {
    **{flag.name: flag.name for flag in FLAGS if flag.owner is SRGenConfig},
    "entropy_control": "use_entropy_control",
    **{
        name: name
        for name in ("use_entropy_control", "temperature", "record_entropy", "entropy_output_file", "model_path")
    },
}
"""The released code's environment variables, and the flag that each one sets."""


_STRENGTH = ("", "environment", "file", "flag")
"""Where a value comes from, the weakest (the default) first."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Values by flag name, all of them there, and where those that are not defaults came from."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def read_settings(benchmark: Benchmark, arguments: Sequence[str]) -> Settings:
    """Settings of a run from arguments, the file that `--config` names, and the environment.

    Raises ConfigError for an unknown name, a wrong type, or a file that cannot be read.
    """
    given = parse_arguments(benchmark, arguments)
    values: dict[str, Any] = {flag.name: flag.default for flag in FLAGS}
    values["max_new_tokens"] = benchmark.max_new_tokens
    origins: dict[str, str] = {}
    file = read_config_file(Path(given["config"]), benchmark) if "config" in given else {}
    for source, found in (("environment", read_environment(os.environ)), ("file", file), ("flag", given)):
        values.update(found)
        origins.update(dict.fromkeys(found, source))
    if values["model_path"] is None:
        raise ConfigError("--model_path is missing: give a model folder, a hub id, or `demo` for the embedded model")
    return Settings(values, origins)


def method_names(settings: Settings) -> tuple[str, ...]:
    """The methods that `--method` or `--use_entropy_control` names, by the stronger source of the two.

    Raises ConfigError for an unknown method, and where the two come from the same source and contradict each other.
    """
    ranks = {name: _STRENGTH.index(settings.origins.get(name, "")) for name in ("method", "use_entropy_control")}
    switch = settings["use_entropy_control"]
    chosen = (SRGEN,) if switch else ()
    if not ranks["method"]:
        return chosen
    named = parse(settings["method"])
    if ranks["method"] == ranks["use_entropy_control"] and switch != (SRGEN in named):
        spelt = "--use_entropy_control means" if switch else "--no-use_entropy_control contradicts"
        raise ConfigError(f"{spelt} --method srgen, and --method {settings['method']} is given; leave one of them out")
    return named if ranks["method"] >= ranks["use_entropy_control"] else chosen


def parse_arguments(benchmark: Benchmark, arguments: Sequence[str]) -> dict[str, Any]:
    """The flags that are given, by name. Raises ConfigError for an unknown flag or a value of the wrong type."""
    arguments = _switches(arguments)
    parser = parser_of(benchmark)
    namespace, rest = parser.parse_known_args(arguments)
    if rest:
        raise _unknown_argument(rest[0], parser.prog)
    _check_twice(arguments)
    return {name: BY_NAME[name].parse(value, f"--{name}") for name, value in vars(namespace).items()}


def _switches(arguments: Sequence[str]) -> list[str]:
    """The arguments with a switch's value, as in `--parallel true` or `--parallel=no`, in the switch itself."""
    found: list[str] = []
    for argument in arguments:
        flag, _, value = argument.partition("=")
        if value and _is_switch(flag):
            found.append(_switch(flag, value))
        elif found and _is_switch(found[-1]) and argument.lower() in TRUE | FALSE - {""}:
            found[-1] = _switch(found[-1], argument)
        else:
            found.append(argument)
    return found


def _is_switch(flag: str) -> bool:
    name = flag.removeprefix("--").removeprefix("no-")
    return flag.startswith("--") and name in BY_NAME and BY_NAME[name].kind == "bool"


def _switch(flag: str, value: str) -> str:
    name = flag.removeprefix("--")
    if name.startswith("no-"):
        raise ConfigError(f"{flag} takes no value, not {value!r}; give --{name.removeprefix('no-')} or {flag}")
    return f"--{name}" if BY_NAME[name].parse(value, flag) else f"--no-{name}"


def _check_twice(arguments: Sequence[str]) -> None:
    """Raise ConfigError for a switch both on and off, or two files; say which value holds of others."""
    given: dict[str, list[str]] = {}
    for index, argument in enumerate(arguments):
        flag, _, value = argument.partition("=")
        name = flag.removeprefix("--").removeprefix("no-")
        if flag.startswith("--") and name in BY_NAME:
            switch = BY_NAME[name].kind == "bool"
            given.setdefault(name, []).append(flag if switch else value or "".join(arguments[index + 1 : index + 2]))
    for name, values in given.items():
        if len(set(values)) > 1 and BY_NAME[name].kind == "bool":
            raise ConfigError(f"--{name} and --no-{name} are both given; give one of them")
        if len(set(values)) > 1 and name == "config":
            raise ConfigError(f"--config is given {len(values)} times ({', '.join(values)}); give one file")
        if len(set(values)) > 1:
            log.warning("--%s is given %d times; the last, %s, holds", name, len(values), values[-1])


def _unknown_argument(argument: str, command: str) -> ConfigError:
    name = argument.lstrip("-").split("=", maxsplit=1)[0]
    if argument.startswith("-") and name in REPLACED:
        return ConfigError(f"--{name} {REPLACED[name]}")
    if argument.startswith("-") and (error := meant(name)):
        return error
    if not argument.startswith("--"):
        return ConfigError(f"unexpected argument {argument!r}; flags start with two dashes")
    return unknown_name("flag", f"--{name}", [f"--{known}" for known in BY_NAME], help_with=f"{command} --help")


def parser_of(benchmark: Benchmark) -> ArgumentParser:
    """The parser of one benchmark's command; it gives only the flags that are given, as text or bool."""
    parser = Parser(
        prog=f"{called('eval', 'evaluators')} {benchmark.command or benchmark.name}",
        usage="%(prog)s --model_path PATH [--method NAME] [flags]",
        description=f"{benchmark.title}: a base run, or with --method srgen an SRGen run.",
        epilog="Flags win over the file of --config, the file over the environment, that over the defaults.",
        argument_default=SUPPRESS,
        formatter_class=RawDescriptionHelpFormatter,
    )
    groups = {name: parser.add_argument_group(name) for name in GROUPS}
    for flag in FLAGS:
        default = str(benchmark.max_new_tokens) if flag.name == "max_new_tokens" else flag.default_text
        text = f"{flag.help} [{flag.unit}; default {default}]".replace("%", "%%")
        if flag.kind == "bool":
            groups[flag.group].add_argument(f"--{flag.name}", action=BooleanOptionalAction, default=SUPPRESS, help=text)
        else:
            metavar = flag.unit if flag.choices else flag.unit.split()[0].upper()
            groups[flag.group].add_argument(f"--{flag.name}", metavar=metavar, help=text)
    return parser


def read_config_file(path: Path, benchmark: Benchmark | None = None) -> dict[str, Any]:
    """The YAML file's values by flag name; a null leaves the default. A run's config.yaml is taken for a benchmark.

    Raises ConfigError for a file that is no flat mapping, an unknown key (suggesting the nearest), or a wrong type.
    """
    content = read_yaml(path, "the config file")
    if not isinstance(content or {}, dict):
        raise ConfigError(f"{path} must hold one `flag: value` per line")
    if benchmark is not None and is_record(content or {}):
        return flags_of(content, path, benchmark)
    known = [name for name in BY_NAME if name != "config"]
    values = {}
    for key, value in (content or {}).items():
        if key not in known:
            raise meant(str(key), f" in {path}") or unknown_name("key", str(key), known, where=f" in {path}")
        if value is not None:
            values[key] = BY_NAME[key].parse(value, f"{key} in {path}")
    return values


def read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The values that the released code's environment variables give, by flag name; empty ones are left out."""
    return {
        flag: BY_NAME[flag].parse(environ[variable], f"the environment variable {variable}")
        for variable, flag in ENVIRONMENT.items()
        if environ.get(variable)
    }

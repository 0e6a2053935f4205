"""Where the workers of a run live, and what they load."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from evaluators.running.devices import WorkerPlace, plan_workers, usable_cores, visible_gpus
from evaluators.running.dispatcher import Fleet
from evaluators.running.local_fleet import LocalFleet
from evaluators.running.plan import EngineChoice
from evaluators.running.thread_fleet import ThreadFleet
from evaluators.running.workers import EngineFactory
from evaluators.settings.run_config import RunConfig
from srgen.engines import EngineConfig, Switches, load_engine
from srgen.errors import ConfigError


class Launcher(Protocol):
    """A fleet, and the places that it has for a run's workers."""

    fleet: Fleet

    def places(self, config: RunConfig) -> Sequence[WorkerPlace]:
        """Where the run's workers may be. Raises ConfigError where there can be none."""
        ...


class _Local:
    """This machine."""

    def __init__(self, logs: Path) -> None:
        self.fleet: Fleet = LocalFleet(logs)
        self._gpus = functools.cache(visible_gpus)

    def places(self, config: RunConfig) -> Sequence[WorkerPlace]:
        return plan_workers(config, self._gpus(), usable_cores())


class _Ray:
    """A Ray cluster."""

    def __init__(self, address: str | None, logs: Path) -> None:
        from evaluators.running.ray_fleet import RayFleet  # Ray is an extra

        self.fleet: Fleet
        self.fleet = self._fleet = RayFleet(address, logs)

    def places(self, config: RunConfig) -> Sequence[WorkerPlace]:
        return self._fleet.places(config)


class _Inside:
    """This process."""

    def __init__(self) -> None:
        self.fleet: Fleet = ThreadFleet()

    def places(self, config: RunConfig) -> Sequence[WorkerPlace]:
        return (WorkerPlace(name="here", device=config.execution.device, devices=frozenset({"here"})),)


@contextmanager
def launcher(configs: Sequence[RunConfig], logs: Path, *, in_process: bool = False) -> Iterator[Launcher]:
    """What all these runs are launched by; their workers end with the context.

    `in_process`: one worker, a thread of this process.

    Raises ConfigError where the runs do not agree on it, or Ray is wanted and not installed.
    """
    asked = {(config.execution.launcher, config.execution.ray_address) for config in configs}
    if len(asked) > 1:
        raise ConfigError("launcher and ray_address must be the same for all runs that are worked on together")
    (kind, address), *_ = asked
    chosen: Launcher = _Inside() if in_process else _Ray(address, logs) if kind == "ray" else _Local(logs)
    try:
        yield chosen
    except BaseException:
        chosen.fleet.close(at_once=True)
        raise
    chosen.fleet.close()


def engine_choice(config: RunConfig) -> EngineChoice:
    """What the run's workers load."""

    def choose(place: WorkerPlace) -> EngineFactory:
        model, execution = config.model, config.execution
        return functools.partial(
            load_engine,
            EngineConfig(
                model_path=model.model_path,
                backend=model.backend,
                device=place.device,
                batch_size=execution.batch_size,
                dtype=model.dtype,
                attn_implementation=model.attn_implementation,
                device_map=model.device_map,
                tensor_parallel=execution.tensor_parallel,
                gpu_memory_utilization=execution.gpu_memory_utilization,
                max_model_len=model.max_model_len,
                park_steps=execution.park_steps,
                released=Switches(
                    reencode_context=model.reencode_context,
                    budget_per_pass=model.budget_per_pass,
                    drop_last_reflection=model.drop_last_reflection,
                ),
                base_url=model.base_url,
                api_key_env=execution.api_key_env,
            ),
        )

    return choose

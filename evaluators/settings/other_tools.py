"""What other tools call things: their flags' names, and what means the same here."""

from __future__ import annotations

from collections.abc import Mapping

from srgen.errors import ConfigError

SAMPLES = "--average K for samples of every question, --eval_samples N for a subset of the questions"
_WORDS: Mapping[str, tuple[str, ...]] = {
    "--model_path MODEL": (
        *("model", "model_name", "model_name_or_path", "model_id", "model_args", "pretrained", "checkpoint", "ckpt"),
        *("base_model", "m"),
    ),
    "--eval_samples N": (
        *("limit", "max_samples", "num_questions", "num_examples", "max_examples", "subset", "n_questions", "first"),
        "sample_size",
    ),
    SAMPLES: ("num_samples", "n_samples", "samples", "n", "n_sampling"),
    "--average K": ("k", "num_return_sequences", "repeats", "num_repeats", "n_repeats", "epochs", "num_generations"),
    "--method srgen": ("srgen", "use_srgen", "enable_srgen", "tnot", "entropy_control"),
    "--method slot": ("slot", "use_slot"),
    "--method base": ("base", "baseline", "no_srgen"),
    "--max_new_tokens N": (
        *("max_tokens", "max_gen_toks", "max_gen_tokens", "max_length", "max_completion_tokens", "tokens"),
        "max_output_tokens",
    ),
    "--thinking_budget N": ("thinking_tokens", "reasoning_tokens", "budget_tokens"),
    "--temperature T": ("temp", "t"),
    "--no-do_sample": ("greedy", "deterministic", "no_sample"),
    "--seed N": ("random_seed", "rng_seed"),
    "--output_dir FOLDER": ("output", "output_path", "out", "out_dir", "o", "log_dir", "results_dir", "save_dir"),
    "--run_name NAME": ("name", "exp_name", "experiment", "tag"),
    "another --run_name, or delete the run's folder": ("overwrite", "force", "restart", "rerun"),
    "--dataset_path FILE": ("dataset", "data", "data_path", "data_file", "input", "input_file", "questions", "file"),
    "--version NAME": ("year", "dataset_version"),
    "the benchmark's name in place of a flag, as in `srgen eval aime`": ("task", "tasks", "benchmark", "benchmarks"),
    "--prompt_style fewshot --few_shot FILE": ("num_fewshot", "fewshot", "n_shot", "shots"),
    "--system_prompt TEXT": ("system", "system_instruction", "system_message", "instruction"),
    "--prompt_style chat, which is the default": ("apply_chat_template", "chat", "use_chat_template"),
    "--prefix TEXT": ("prefill", "gen_prefix", "assistant_prefix"),
    "--backend NAME": ("engine", "model_type", "framework"),
    "--backend vllm": ("vllm", "use_vllm"),
    "--base_url URL": ("api_base", "endpoint", "url", "api_url", "server"),
    "--api_key_env NAME, the environment variable that holds the key": ("api_key", "key"),
    "--dtype NAME": ("torch_dtype", "precision", "data_type", "bf16", "fp16"),
    "--tensor_parallel N": ("tensor_parallel_size", "tp", "tp_size"),
    "--parallel, which uses every GPU, or --max_parallel_gpus N": (
        *("gpus", "num_gpus", "n_gpus", "n_gpu", "data_parallel_size", "dp"),
    ),
    "--gpu_memory_utilization FRACTION": ("gpu_memory", "mem_fraction_static", "gpu_util"),
    "--workers N": ("num_workers", "num_proc", "jobs", "j", "processes", "threads"),
    "--batch_size N": ("batch", "bs", "bsz", "b", "per_device_batch_size", "max_num_seqs", "max_batch_size"),
    "--entropy_threshold NATS, or --minimal_threshold with the adaptive one": ("threshold", "tau"),
    "--entropy_weight FRACTION": ("lambda", "lam", "lambda_entropy"),
    "--times N": ("steps", "num_steps", "iterations", "inner_steps"),
    "--lr NUMBER": ("learning_rate",),
    "--adaptive_entropy_N TOKENS": ("window", "window_size"),
    "--max_retries N": ("max_reflections", "retries"),
    "--config FILE": ("yaml", "cfg", "config_file"),
    "--dry_run": ("check", "validate", "test"),
}
MEANT = {word: ours for ours, words in _WORDS.items() for word in words}


def meant(name: str, where: str = "") -> ConfigError | None:
    """The error for a flag (without its dashes), or a YAML key, that other tools have and this one calls otherwise."""
    ours = MEANT.get(name.lower().replace("-", "_"))
    unknown = f"unknown key {name!r}{where}" if where else f"unknown flag '--{name}'"
    return ConfigError(f"{unknown}; use {ours}") if ours else None

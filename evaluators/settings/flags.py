"""Every flag of the evaluators, declared once: parser, YAML keys, help and the table (flags_table.py) follow."""

from __future__ import annotations

from functools import partial

from evaluators.benchmarks.data_config import DataConfig
from evaluators.settings.flag import of_method, own, sets
from evaluators.settings.run_config import ExecutionConfig, ModelConfig, RunConfig
from srgen.config import Sampling, SRGenConfig
from srgen.methods.registry import BASE, SRGEN, methods

GROUPS = ("model", "sampling", "method", "SRGen", *(method.title for method in methods().values()), "run", "data")
ON = "on/off"
_model = partial(sets, "model", ModelConfig)
_sampling = partial(sets, "sampling", Sampling)
_srgen = partial(sets, "SRGen", SRGenConfig)
_run = partial(sets, "run", ExecutionConfig)
_data = partial(sets, "data", DataConfig)
FLAGS = (
    _model("model_path", "path", "Model folder, hub id, or `demo` for the embedded one.", default_text="required"),
    _model("backend", "name", "Engine that generates: transformers, vllm, openai, released, or an installed one."),
    _model("dtype", "", "Number format of the weights; auto is bfloat16 on CUDA, float32 on CPU."),
    _model("attn_implementation", "name", "Attention kernel, as transformers names it.", default_text="the model's"),
    _model(
        "chat_template_kwargs",
        "JSON",
        'Arguments of the chat template, as `{"enable_thinking": true}`.',
        json_object=True,
    ),
    _model("device_map", "name", "`auto` spreads one model over all GPUs of a worker."),
    sets("model", ExecutionConfig, "tensor_parallel", "GPUs", "GPUs that share one model (vllm)."),
    sets("model", ExecutionConfig, "gpu_memory_utilization", "fraction", "Share of a GPU's memory to use (vllm)."),
    _model("max_model_len", "tokens", "Longest prompt and answer together (vllm).", default_text="the model's"),
    _model("reencode_context", ON, "Encode the decoded context anew at every trigger (released)."),
    _model("budget_per_pass", ON, "Count max_new_tokens anew after every trigger (released)."),
    _model("drop_last_reflection", ON, "End a sample at the trigger that would be reflected on last (released)."),
    _model("base_url", "URL", "Endpoint, up to and including /v1 (openai)."),
    sets("model", ExecutionConfig, "api_key_env", "name", "Environment variable that holds the key (openai)."),
    _sampling("do_sample", ON, "Sample; --no-do_sample decodes greedily."),
    _sampling("temperature", "number > 0", "Softmax temperature, with do_sample."),
    _sampling("top_p", "fraction", "Nucleus mass, with do_sample; 1 keeps every token."),
    _sampling("top_k", "tokens", "Keep the k likeliest tokens, with do_sample; 0 keeps all."),
    _sampling(
        "min_p",
        "fraction",
        "Keep tokens with this share of the likeliest one's probability, with do_sample; 0 keeps all.",
    ),
    _sampling(
        "top_h",
        "fraction",
        "Keep the likeliest tokens up to this share of the entropy, with do_sample; 0 keeps all (transformers).",
    ),
    _sampling(
        "max_new_tokens",
        "tokens",
        "Budget of a sample, reflections or not.",
        default_text="the benchmark's: 4096, mini 256",
    ),
    _sampling(
        "thinking_budget",
        "tokens",
        "End a thinking model's thoughts after so many tokens and ask for the answer (transformers).",
        default_text="no end",
    ),
    _sampling("ignore_end", "times", 'Replace the first so many ends of thinking by "Wait" (transformers).'),
    sets("sampling", RunConfig, "average", "samples", "K, samples per question: Avg@K, Cons@K, Pass@K."),
    sets("sampling", RunConfig, "seed", "integer", "Seed of the samples, the subset and GPQA's option order."),
    own(
        "method",
        "method",
        "str",
        "name",
        f"How to generate: {', '.join([BASE, SRGEN, *methods()])}, or several joined by +.",
        default_text="base",
    ),
    own("SRGen", "use_entropy_control", "bool", ON, "The same as --method srgen.", default=False),
    _srgen("times", "steps", "AdamW steps per reflection."),
    _srgen("lr", "number", "AdamW learning rate."),
    _srgen("entropy_weight", "fraction", "lambda in (1 - lambda) * CE + lambda * H."),
    _srgen("entropy_threshold", "nats", "Static threshold; with adaptive_entropy, until the window is full."),
    _srgen(
        "adaptive_entropy",
        ON,
        "Threshold max(mean + K * max(std, minimal_std), minimal_threshold) of the last N entropies.",
    ),
    _srgen("adaptive_entropy_N", "tokens", "N, window of the adaptive threshold."),
    _srgen("adaptive_entropy_K", "number", "K, standard deviations above the window's mean."),
    _srgen("minimal_std", "nats", "Floor of the window's standard deviation."),
    _srgen("minimal_threshold", "nats", "Floor of the adaptive threshold."),
    _srgen(
        "max_retries",
        "reflections",
        "Reflections allowed per sample (the released code makes one less of the same number).",
    ),
    _srgen("mask_special_tokens", ON, "Leave chat markers out of the CE labels."),
    _srgen("reflection", "", "On a sketch and the rows of W that matter, a sketch and all of W, or exactly."),
    _srgen(
        "sketch_top",
        "tokens",
        "M, probabilities kept per position in the sketch.",
        default_text="64 with support, else 256",
    ),
    _srgen(
        "support_size", "tokens", "Tokens of the support; 0 takes those whose part of the gradient is above a floor."
    ),
    sets("SRGen", RunConfig, "record_entropy", ON, "Write reflections.jsonl and every token's entropy."),
    own(
        "SRGen",
        "entropy_output_file",
        "str",
        "path",
        "Write the entropies (JSONL) here instead.",
        default_text="entropies.jsonl in the run's folder",
    ),
    *(flag for method in methods().values() for flag in of_method(method)),
    _run("device", "name", "Device without parallel.", default_text="cuda:0, else cpu"),
    _run("batch_size", "samples", "Samples decoded together by one worker."),
    _run("park_steps", "steps", "Steps that a triggered sample may wait for others to reflect with (transformers)."),
    _run("parallel", ON, "Use every GPU; without any, `workers` processes."),
    _run("max_parallel_gpus", "GPUs", "Use that many GPUs at most, with parallel.", default_text="all"),
    _run("workers", "processes", "Worker processes where there is no GPU."),
    _run("max_attempts", "workers", "Workers that a sample may kill before it counts as failed."),
    _run("worker_timeout", "seconds", "Silence after which a worker is killed and replaced."),
    _run("grading_workers", "processes", "Processes that grade."),
    _run("grading_timeout", "seconds", "Time that one verdict may take."),
    _run("launcher", "", "Workers on this machine, or on a Ray cluster."),
    _run("ray_address", "address", "Ray cluster to join, with launcher ray.", default_text="the local one"),
    _run(
        "record_signals",
        ON,
        "Write every token's certainty (signals.f16, 8 bytes a token), for choosing among samples.",
    ),
    own(
        "run",
        "until_settled",
        "bool",
        ON,
        "Sample the base run too, in rounds, and stop once their comparison is settled; `average` is the most.",
        default=False,
    ),
    own(
        "run",
        "smallest_effect",
        "float",
        "points",
        "With until_settled: stop as well once the method is known to be better by less.",
    ),
    own("run", "output_dir", "str", "path", "Folder that holds the runs' folders.", default="results"),
    own(
        "run",
        "run_name",
        "str",
        "name",
        "Last part of the run's folder.",
        default_text="method, K and a hash of the settings",
    ),
    own("run", "resume", "bool", ON, "Finish an interrupted run; --no-resume refuses to.", default=True),
    own(
        "run",
        "dry_run",
        "bool",
        ON,
        "Check all that can be without the weights, say what the run would do, print its folder.",
        default=False,
    ),
    own(
        "run",
        "config",
        "str",
        "path",
        "YAML file with any of these flags as keys, or a run's config.yaml; flags win over it.",
    ),
    _data(
        "version", "name", "Version of the benchmark (`python -m evaluators --list`).", default_text="the first listed"
    ),
    _data(
        "dataset_path",
        "path",
        "Local JSONL, JSON, CSV or parquet file, a run's questions.jsonl, or a folder laid out as a hub repository.",
        default_text="the hub",
    ),
    _data("split", "name", "Split of the hub's dataset or of a folder.", default_text="the benchmark's"),
    _data("eval_samples", "questions", "Random subset of that many questions, drawn by the seed.", default_text="all"),
    _data(
        "system_prompt",
        "text",
        "Instruction in place of the benchmark's own; empty for none.",
        default_text="the benchmark's",
    ),
    _data(
        "prompt_style",
        "",
        "A chat by the model's template; for base models the bare question, or the question after examples.",
    ),
    _data("few_shot", "path", "Examples (JSON, JSONL, YAML: question, answer) for the style fewshot."),
    _data("prefix", "text", "Forced beginning of every answer; `\\n` is a new line."),
    _data("answer_format", "", "Answers as the benchmark's instruction asks for them, or in tags (docs/pasr.md)."),
    _data("prompt_role", "", "Whose turn the instruction is in: a system message, or the user's."),
)
BY_NAME = {flag.name: flag for flag in FLAGS}

REPLACED = {"set_minimal_threshold": "has no effect in the released code; set --minimal_threshold, which always holds"}
"""Flags of the released code that are not ours, and why."""

"""`--worker-cls srgen.engines.vllm_worker.SRGenWorker`: the path that launch commands of vLLM have used so far."""

from srgen.engines.vllm.worker import SRGenWorker

__all__ = ["SRGenWorker"]

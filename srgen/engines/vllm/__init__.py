"""SRGen inside vLLM: a worker, its bookkeeping and the requests' arguments.

Only `engine`, `worker` and `admission` import vLLM; what an entropy or a correction is lives in `srgen.method`.
"""

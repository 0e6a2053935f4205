"""SRGen inside vLLM: a worker, its bookkeeping and the requests' arguments.

Only `engine`, `worker`, `readout` and `admission` import vLLM.
"""

"""`--logits-processors srgen.engines.vllm_admission:SRGenAdmission`: the path that launch commands have used so far."""

from srgen.engines.vllm.admission import SRGenAdmission

__all__ = ["SRGenAdmission"]

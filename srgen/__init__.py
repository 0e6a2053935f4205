"""SRGen: self-reflective generation at test time (arXiv 2510.02919).

The public names are here; `evaluators` measures what they do, and nothing in this package imports it.
"""

from typing import TYPE_CHECKING, Any

from srgen.api import generate
from srgen.config import Sampling, SRGenConfig
from srgen.engines.base import Completion, Message, Reflection, Request
from srgen.errors import ConfigError, SRGenError, UnsupportedModelError

if TYPE_CHECKING:
    from srgen.logits_processor import SRGenLogitsProcessor

__version__ = "0.1.0"

__all__ = [
    "Completion",
    "ConfigError",
    "Message",
    "Reflection",
    "Request",
    "SRGenConfig",
    "SRGenError",
    "SRGenLogitsProcessor",
    "Sampling",
    "UnsupportedModelError",
    "generate",
]


def __getattr__(name: str) -> Any:
    """`SRGenLogitsProcessor` when it is first asked for: it imports torch and transformers, which take seconds."""
    if name == "SRGenLogitsProcessor":
        from srgen.logits_processor import SRGenLogitsProcessor

        return SRGenLogitsProcessor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

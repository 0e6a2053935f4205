"""A running server in the test's own process, and a tiny random model for it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import uvicorn
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from srgen.engines.transformers.engine import TransformersEngine
from srgen.server.app import create_app
from srgen.server.settings import ServerConfig

TEMPLATE = "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}<e>{% endfor %}<s>assistant\n"


def tiny_tokenizer() -> Any:
    """Bytes as tokens; <s> and <e> are special."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(["<s>", "<e>", *alphabet])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="<e>")
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def tiny_model(seed: int = 0, positions: int = 256) -> Any:
    """A random two-layer model over the tiny vocabulary, with logits wide enough to be of use."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config).eval()


def tiny_engine(**options: Any) -> TransformersEngine:
    return TransformersEngine(tiny_model(**options), tiny_tokenizer())


@contextmanager
def running(engine: TransformersEngine, **settings: Any) -> Iterator[tuple[str, Any]]:
    """A server on a free port of this machine; its base URL and the app."""
    config = ServerConfig.from_mapping(settings)
    app = create_app(config, engine)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", app
        finally:
            server.should_exit = True
            thread.join(30)

"""A llama of four layers and random weights that every reader and engine opens: 0.3 MB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize

LAYERS, WIDTH, INNER, HEADS, KV_HEADS = 4, 64, 128, 4, 2
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
    "message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
WORDS = ("Ġthe", "Ġis", "Ġof", "ing", "Ġto")


def byte_letters() -> list[str]:
    """The 256 letters of byte-level BPE, in the order of their bytes (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in plain]
    return [chr(b) if b in plain else chr(256 + other.index(b)) for b in range(256)]


def vocabulary() -> tuple[list[str], list[str]]:
    """Tokens, and the merges that lead to the longer ones."""
    tokens, merges = [*SPECIAL, *byte_letters()], []
    for word in WORDS:
        built = word[0]
        for letter in word[1:]:
            if built + letter not in tokens:
                merges.append(f"{built} {letter}")
                tokens.append(built + letter)
            built += letter
    return tokens, merges


def shapes() -> dict[str, tuple[int, ...]]:
    """In torch order, by name."""
    head = WIDTH // HEADS
    layer = {
        "attn_norm": (WIDTH,),
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (KV_HEADS * head, WIDTH),
        "attn_v": (KV_HEADS * head, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_norm": (WIDTH,),
        "ffn_gate": (INNER, WIDTH),
        "ffn_up": (INNER, WIDTH),
        "ffn_down": (WIDTH, INNER),
    }
    of_layers = {f"blk.{i}.{n}.weight": s for i in range(LAYERS) for n, s in layer.items()}
    rows = len(vocabulary()[0])
    return {"token_embd.weight": (rows, WIDTH), "output_norm.weight": (WIDTH,), **of_layers}


def write(path: Path, kind: str = "F32", base: float = 50_000.0) -> Path:
    """Write the model; its projections and embedding as `kind`, its norms as F32."""
    writer = GGUFWriter(path, "llama")
    tokens, merges = vocabulary()
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(base)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    stored = GGMLQuantizationType[kind]
    for name, shape in shapes().items():
        rng = np.random.default_rng(sum(map(ord, name)) * 7919 + len(name))
        values = rng.standard_normal(shape, dtype=np.float32)
        if "norm" in name:
            writer.add_tensor(name, 1 + values / 10)
        else:
            writer.add_tensor(name, quantize(values / 8, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path

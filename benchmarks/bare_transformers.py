"""The bare `generate` of transformers that our transformers engine is measured against.

Prompts sorted by length, padded on the left, `--batch` at once; 1 is one at a time, unpadded.
Prints a JSON object.
"""

from __future__ import annotations

import argparse
import json
from time import perf_counter

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.prompts import MAX_TOKENS, prompts, rendered


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), required=True)
    for name in ("batch", "count", "threads"):
        parser.add_argument(f"--{name}", type=int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    start = perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(args.model, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, args.dtype))
    model.eval()
    loaded = perf_counter()
    texts, tokens = [""] * args.count, 0
    asked = [rendered(p) for p in prompts(args.count)]
    order = sorted(range(args.count), key=lambda i: len(tokenizer(asked[i]).input_ids))
    for first in range(0, args.count, args.batch):
        chunk = order[first : first + args.batch]
        inputs = tokenizer(
            [asked[i] for i in chunk], padding=True, add_special_tokens=False, return_tensors="pt"
        )
        with torch.inference_mode():
            out = model.generate(
                **inputs,
                max_new_tokens=MAX_TOKENS,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )
        made = out[:, inputs.input_ids.shape[1] :]
        for i, ids in zip(chunk, made, strict=True):
            texts[i] = tokenizer.decode(ids, skip_special_tokens=True)
            tokens += sum(int(t) not in tokenizer.all_special_ids for t in ids)
    seconds = perf_counter() - loaded
    row = {"load_s": loaded - start, "answering_s": seconds, "tokens": tokens, "texts": texts}
    print(json.dumps(row))


if __name__ == "__main__":
    main()

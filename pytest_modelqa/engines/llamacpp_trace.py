"""Hidden states from llama.cpp: its evaluation callback hands out each tensor of the graph."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp as lc
import numpy as np

from pytest_modelqa.core.errors import Refused, Unavailable
from pytest_modelqa.core.stages import Block
from pytest_modelqa.engines.tracing import Stage, Watch

_BLOCKS: dict[str, Block] = {
    "embd": "embedding",
    "inp_embd": "embedding",
    "inp_scaled": "embedding",
    "attn_norm": "attention_norm",
    "Vcur": "value",
    "kqv_out": "heads",
    "attn_out": "attention",
    "attn_post_norm": "attention_post_norm",
    "ffn_norm": "ffn_norm",
    "ffn_gate": "gate",
    "ffn_up": "up",
    "ffn_swiglu": "inner",
    "ffn_geglu": "inner",
    "ffn_gate_par": "inner",
    "ffn_out": "ffn",
    "ffn_post_norm": "ffn_post_norm",
    "l_out": "output",
    "result_norm": "final_norm",
    "result_output": "logits",
}
"""What llama.cpp names the stages. A name may have the layer's number behind a hyphen."""

_FLOAT32 = 4
"""Bytes of an element; activations that are summed or normed are float32 in every llama.cpp."""


def _ggml() -> Any:
    """Accessors of ggml, from the shared library that llama-cpp-python brings."""
    folder = Path(lc.__file__).parent / "lib"
    found = sorted(folder.glob("*ggml-base*"))
    if not found:
        raise Unavailable(
            "hidden states need ggml's shared library, which this build does not bring",
            where=str(folder),
            remedy="python -m pip install --force-reinstall llama-cpp-python",
        )
    library = ctypes.CDLL(str(found[0]))
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "ggml_get_name": (ctypes.c_char_p, [pointer]),
        "ggml_nelements": (ctypes.c_int64, [pointer]),
        "ggml_element_size": (size, [pointer]),
        "ggml_is_contiguous": (ctypes.c_bool, [pointer]),
        "ggml_backend_tensor_get": (None, [pointer, pointer, size, size]),
        "ggml_backend_tensor_set": (None, [pointer, pointer, size, size]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _stage(name: str) -> Stage | None:
    """The stage that a tensor is, if any."""
    base, _, layer = name.rpartition("-") if "-" in name else (name, "", "-1")
    block = _BLOCKS.get(base)
    return None if block is None or not layer.lstrip("-").isdigit() else Stage(block, int(layer))


class _Callback:
    """Asked of each node whether it is wanted, then called with its values.

    Several nodes may bear one stage's name, the last of them being it (a bias is added, a view is
    taken): so a first decoding only counts, and the next shows the last of each. An exception
    cannot cross native code: it is kept, ends the computation, and is raised after.
    """

    def __init__(self, watch: Watch, positions: int) -> None:
        self._ggml = _ggml()
        self._watch = watch
        self._positions = positions
        self._nodes: Counter[Stage] = Counter()
        self._met: Counter[Stage] = Counter()
        self._counting = True
        self.error: BaseException | None = None

    def counted(self) -> None:
        """The next decoding is shown."""
        self._counting = False

    def __call__(self, tensor: int, ask: bool, _data: Any) -> bool:
        try:
            return self._wanted(tensor) if ask else self._shown(tensor)
        except BaseException as error:  # noqa: BLE001 - raised again by `trace`
            self.error = error
            return False

    def _wanted(self, tensor: int) -> bool:
        stage = _stage(self._ggml.ggml_get_name(tensor).decode())
        if stage is None:
            return False
        counts = self._nodes if self._counting else self._met
        counts[stage] += 1
        return not self._counting and counts[stage] == self._nodes[stage]

    def _shown(self, tensor: int) -> bool:
        ggml = self._ggml
        name = ggml.ggml_get_name(tensor).decode()
        stage = _stage(name)
        assert stage is not None
        if ggml.ggml_element_size(tensor) != _FLOAT32 or not ggml.ggml_is_contiguous(tensor):
            raise Refused(f"llama.cpp keeps {name} in a form that cannot be read here")
        values = np.empty(ggml.ggml_nelements(tensor), dtype=np.float32)
        at = values.ctypes.data_as(ctypes.c_void_p)
        ggml.ggml_backend_tensor_get(tensor, at, 0, values.nbytes)
        shaped = values.reshape(self._positions, -1)
        instead = self._watch(stage, shaped)
        if instead is not None:
            new = np.ascontiguousarray(instead, dtype=np.float32)
            if new.shape != shaped.shape:
                raise ValueError(f"{name} is {shaped.shape}, not {new.shape}")
            at = new.ctypes.data_as(ctypes.c_void_p)
            ggml.ggml_backend_tensor_set(tensor, at, 0, new.nbytes)
        return True


def trace(model: Any, ids: Sequence[int], watch: Watch, *, threads: int) -> None:
    """Run `ids` through a context of its own; every position's logits are asked for.

    Without that, the last layer would keep the last position alone.
    """
    count = len(ids)
    callback = _Callback(watch, count)
    native = lc.ggml_backend_sched_eval_callback(callback)
    wanted = lc.llama_context_default_params()
    wanted.n_ctx = wanted.n_batch = wanted.n_ubatch = count
    wanted.n_seq_max = 1
    wanted.n_threads = wanted.n_threads_batch = threads
    wanted.cb_eval = native
    context = lc.llama_init_from_model(model, wanted)
    if not context:
        raise Refused(f"llama.cpp cannot make a context of {count} tokens")
    try:
        _decode(context, ids[:1], callback)
        callback.counted()
        lc.llama_memory_clear(lc.llama_get_memory(context), True)
        _decode(context, ids, callback)
    finally:
        lc.llama_free(context)


def _decode(context: Any, ids: Sequence[int], callback: _Callback) -> None:
    batch = lc.llama_batch_init(len(ids), 0, 1)
    try:
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, i, 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = True
        code = lc.llama_decode(context, batch)
    finally:
        lc.llama_batch_free(batch)
    if callback.error:
        raise callback.error
    if code:
        raise RuntimeError(f"llama_decode returned {code} for {len(ids)} ids")

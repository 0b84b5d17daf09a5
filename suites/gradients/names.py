"""The names of the checks, without the libraries they need: collecting tests imports no torch."""

from __future__ import annotations

SEED = (
    "matmul_q_projection",
    "matmul_k_projection",
    "matmul_v_projection",
    "matmul_o_projection",
    "ffn_gate_projection",
    "ffn_up_projection",
    "ffn_down_projection",
    "gelu_activation",
    "swish_activation",
    "swiglu_combined",
    "layer_norm_input",
    "layer_norm_gamma",
    "layer_norm_beta",
    "attention_q",
    "attention_k",
    "attention_v",
    "attention_full_pass",
    "softmax",
)
"""The 18 checks of the suite that this one grew from, under their names."""

BEYOND = (
    "weight_q_projection",
    "weight_k_projection",
    "weight_v_projection",
    "weight_o_projection",
    "weight_gate_projection",
    "weight_up_projection",
    "weight_down_projection",
    "bias_q_projection_qwen2",
    "geglu_gemma",
    "rms_norm_llama",
    "rms_norm_qwen2",
    "rms_norm_gemma",
    "rope",
    "causal_mask",
    "multi_head_attention",
    "grouped_query_attention",
    "grouped_query_attention_qwen2",
    "multi_query_attention_gemma",
    "sdpa_attention",
    "cross_entropy",
    "embedding",
    "embedding_gemma",
    "residual",
    "decoder_layer_llama",
    "decoder_layer_qwen2",
    "decoder_layer_gemma",
    "lora_a",
    "lora_b",
    "lora_input",
    "model_loss_llama",
    "model_loss_qwen2",
    "model_loss_gemma",
)
"""What those 18 left out."""

CHECKS = SEED + BEYOND
NF4 = (
    "nf4_input",
    "nf4_bias",
    "nf4_double_input",
    "nf4_double_bias",
    "nf4_lora_a",
    "nf4_lora_b",
    "nf4_lora_input",
)
"""Those of bitsandbytes, which takes seconds to import: tier 2."""

DEFECTS = ("zero", "sign", "scale", "dropped_term")

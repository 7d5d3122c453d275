"""Model types that people run, and why they cannot be read."""

_MAMBA_1 = "states of Mamba-1, whose scan no cost is known of here"
_OTHER_STATE = "states other than those of Mamba-2 and the gated delta rule"
_SPARSE = "attention to tokens that an index chooses"
_UNEVEN = "layers that differ from one another in heads or width"
_SHARED = "layers that share keys and values, or have inputs of their own"

REFUSED = {
    "mamba": _MAMBA_1,
    "falcon_mamba": _MAMBA_1,
    "jamba": _MAMBA_1,
    "zamba": _MAMBA_1,
    "zamba2": "attention that several layers share, each with an adapter",
    "mamba2": "no attention at all, and so no KV cache",
    "kimi_linear": _OTHER_STATE,
    "lfm2": _OTHER_STATE,
    "lfm2_moe": _OTHER_STATE,
    "minimax": _OTHER_STATE,
    "minimax_m3": _SPARSE,
    "deepseek_v32": _SPARSE,
    "deepseek_v4": _SPARSE,
    "glm_moe_dsa": _SPARSE,
    "openelm": _UNEVEN,
    "mimo_v2_flash": _UNEVEN,
    "step3p5": _UNEVEN,
    "step3p7": _UNEVEN,
    "gemma3n_text": _SHARED,
    "gemma4_text": _UNEVEN,
    "mllama_text_model": "attention to what another model sees",
    "bitnet": "weights of three values, which are no checkpoint of 16 bits",
}
"""What layers of each type have."""

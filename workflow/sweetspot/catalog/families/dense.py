"""Families with gated feed-forward layers that every token passes: Llama's kind."""

from dataclasses import replace

from sweetspot.catalog.block_configs import by_block
from sweetspot.catalog.families.family import Family, sizes
from sweetspot.catalog.readers import Layout
from sweetspot.catalog.windows import all_slide, by_pattern, from_layer_on, listed_slide

LLAMA = Layout()
QWEN2 = Layout(qkv_bias=True, output_bias=False, windows=from_layer_on)
_QWEN3 = Layout(windows=from_layer_on)
_PATTERN = Layout(windows=by_pattern)
_GEMMA = replace(_PATTERN, offset_norms=4)
# biases of Q, K and V alone, where there are any
QKV_BIAS = Layout(output_bias=False)

_QWEN2_DEFAULTS = {
    "vocab_size": 151936,
    "intermediate_size": 22016,
    "num_key_value_heads": 32,
    "max_position_embeddings": 32768,
    "sliding_window": 4096,
    "max_window_layers": 28,
}
_QWEN2_VL = {
    "vocab_size": 152064,
    "intermediate_size": 29568,
    "num_key_value_heads": 8,
    "max_position_embeddings": 32768,
    "sliding_window": 4096,
    "max_window_layers": 80,
}
_QWEN3_DEFAULTS = _QWEN2_DEFAULTS | {"head_dim": 128}
_GLM = {
    "vocab_size": 151552,
    "intermediate_size": 13696,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "max_position_embeddings": 131072,
    "attention_bias": True,
}
_OLMO = {"vocab_size": 50304, "intermediate_size": 11008, "max_position_embeddings": 2048}
_GEMMA2 = {
    "vocab_size": 256000,
    "intermediate_size": 9216,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
    "sliding_window": 4096,
    "sliding_window_pattern": 2,  # fixed in its code
}

DENSE: dict[str, Family] = {
    "llama": Family(
        name="Llama",
        causal_lm="LlamaForCausalLM",
        read=LLAMA,
        defaults={
            "vocab_size": 32000,
            "intermediate_size": 11008,
            "max_position_embeddings": 2048,
        },
        nested=sizes(4096, 32, 32),
    ),
    "mistral": Family(
        name="Mistral",
        causal_lm="MistralForCausalLM",
        read=replace(LLAMA, windows=all_slide),
        defaults={
            "vocab_size": 32000,
            "intermediate_size": 14336,
            "num_key_value_heads": 8,
            "max_position_embeddings": 131072,
            "sliding_window": 4096,
        },
        nested=sizes(4096, 32, 32),
    ),
    "ministral": Family(
        name="Ministral",
        causal_lm="MinistralForCausalLM",
        read=replace(LLAMA, windows=listed_slide),
        defaults={
            "vocab_size": 32000,
            "intermediate_size": 14336,
            "num_key_value_heads": 8,
            "max_position_embeddings": 131072,
            "sliding_window": 4096,
        },
        nested=sizes(4096, 32, 32),
    ),
    "ministral3": Family(
        name="Ministral 3",
        causal_lm="Ministral3ForCausalLM",
        read=replace(LLAMA, windows=all_slide),
        defaults={
            "vocab_size": 131072,
            "intermediate_size": 14336,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 262144,
        },
        nested=sizes(4096, 34, 32),
    ),
    "qwen2": Family(
        name="Qwen2",
        causal_lm="Qwen2ForCausalLM",
        read=QWEN2,
        defaults=_QWEN2_DEFAULTS,
        nested=sizes(4096, 32, 32),
    ),
    # files of before transformers 4.52 have the language model's sizes beside `vision_config`
    "qwen2_vl": Family(
        name="Qwen2-VL",
        causal_lm="Qwen2VLForConditionalGeneration",
        read=QWEN2,
        defaults=_QWEN2_VL,
    ),
    "qwen2_5_vl": Family(
        name="Qwen2.5-VL",
        causal_lm="Qwen2_5_VLForConditionalGeneration",
        read=QWEN2,
        defaults=_QWEN2_VL,
    ),
    "qwen2_vl_text": Family(
        name="Qwen2-VL",
        causal_lm="Qwen2VLTextModel",
        read=QWEN2,
        defaults=_QWEN2_VL,
        nested=sizes(8192, 80, 64),
    ),
    "qwen2_5_vl_text": Family(
        name="Qwen2.5-VL",
        causal_lm="Qwen2_5_VLTextModel",
        read=QWEN2,
        defaults=_QWEN2_VL,
        nested=sizes(8192, 80, 64),
    ),
    "qwen3": Family(
        name="Qwen3",
        causal_lm="Qwen3ForCausalLM",
        read=_QWEN3,
        defaults=_QWEN3_DEFAULTS,
        nested=sizes(4096, 32, 32),
    ),
    "qwen3_vl_text": Family(
        name="Qwen3-VL",
        causal_lm="Qwen3VLTextModel",
        read=LLAMA,
        defaults={
            "vocab_size": 151936,
            "intermediate_size": 22016,
            "num_key_value_heads": 32,
            "head_dim": 128,
            "max_position_embeddings": 128000,
        },
        nested=sizes(4096, 32, 32),
    ),
    "gemma": Family(
        name="Gemma",
        causal_lm="GemmaForCausalLM",
        read=replace(LLAMA, offset_norms=2),
        defaults={
            "vocab_size": 256000,
            "intermediate_size": 24576,
            "num_key_value_heads": 16,
            "head_dim": 256,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
        },
        nested=sizes(3072, 28, 16),
    ),
    "gemma2": Family(
        name="Gemma 2",
        causal_lm="Gemma2ForCausalLM",
        read=_GEMMA,
        defaults=_GEMMA2,
        nested=sizes(2304, 26, 8),
    ),
    "vaultgemma": Family(
        name="VaultGemma",
        causal_lm="VaultGemmaForCausalLM",
        read=replace(_PATTERN, offset_norms=2),
        defaults=_GEMMA2,
    ),
    "gemma3_text": Family(
        name="Gemma 3",
        causal_lm="Gemma3ForCausalLM",
        read=_GEMMA,
        defaults={
            "vocab_size": 262208,
            "intermediate_size": 9216,
            # left out by files of its own, too
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "max_position_embeddings": 131072,
            "tie_word_embeddings": True,
            "sliding_window": 4096,
            "sliding_window_pattern": 6,
        },
        nested=sizes(2304, 26, 8),
    ),
    "granite": Family(
        name="Granite",
        causal_lm="GraniteForCausalLM",
        read=LLAMA,
        defaults={
            "vocab_size": 32000,
            "intermediate_size": 11008,
            "max_position_embeddings": 2048,
        },
        nested=sizes(4096, 32, 32),
    ),
    "phi3": Family(
        name="Phi-3 and 4",
        causal_lm="Phi3ForCausalLM",
        read=replace(LLAMA, windows=all_slide),
        defaults={
            "vocab_size": 32064,
            "intermediate_size": 8192,
            "max_position_embeddings": 4096,
        },
        nested=sizes(3072, 32, 32),
    ),
    "olmo": Family(name="OLMo", causal_lm="OlmoForCausalLM", read=LLAMA, defaults=_OLMO),
    "olmo2": Family(name="OLMo 2", causal_lm="Olmo2ForCausalLM", read=LLAMA, defaults=_OLMO),
    "olmo3": Family(
        name="OLMo 3",
        causal_lm="Olmo3ForCausalLM",
        read=_PATTERN,
        defaults=_OLMO | {"sliding_window": 4096, "sliding_window_pattern": 4},
    ),
    "exaone4": Family(
        name="EXAONE 4",
        causal_lm="Exaone4ForCausalLM",
        read=_PATTERN,
        defaults={
            "vocab_size": 102400,
            "intermediate_size": 16384,
            "num_key_value_heads": 32,
            "max_position_embeddings": 2048,
            "sliding_window": 4096,
            "sliding_window_pattern": 4,
        },
    ),
    "glm": Family(name="GLM", causal_lm="GlmForCausalLM", read=QKV_BIAS, defaults=_GLM),
    "glm4": Family(name="GLM-4", causal_lm="Glm4ForCausalLM", read=QKV_BIAS, defaults=_GLM),
    "cohere": Family(
        name="Command R",
        causal_lm="CohereForCausalLM",
        read=LLAMA,
        defaults={
            "vocab_size": 256000,
            "intermediate_size": 22528,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
        },
    ),
    "cohere2": Family(
        name="Command R7B and A",
        causal_lm="Cohere2ForCausalLM",
        read=_PATTERN,
        defaults={
            "vocab_size": 256000,
            "intermediate_size": 22528,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
            "sliding_window": 4096,
            "sliding_window_pattern": 4,
        },
        nested=sizes(8192, 40, 64),
    ),
    "helium": Family(
        name="Helium",
        causal_lm="HeliumForCausalLM",
        read=QKV_BIAS,
        defaults={
            "vocab_size": 48000,
            "intermediate_size": 7040,
            "num_key_value_heads": 20,
            "head_dim": 128,
            "max_position_embeddings": 4096,
        },
    ),
    "seed_oss": Family(
        name="Seed-OSS",
        causal_lm="SeedOssForCausalLM",
        read=replace(LLAMA, output_bias="attention_out_bias"),
        defaults={
            "vocab_size": 155136,
            "intermediate_size": 27648,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 524288,
            "attention_bias": True,
        },
    ),
    "smollm3": Family(
        name="SmolLM3",
        causal_lm="SmolLM3ForCausalLM",
        read=replace(LLAMA, windows=from_layer_on),
        defaults={
            "vocab_size": 128256,
            "intermediate_size": 11008,
            "num_key_value_heads": 4,
            "max_position_embeddings": 32768,
            "tie_word_embeddings": True,
        },
    ),
    "stablelm": Family(
        name="StableLM",
        causal_lm="StableLmForCausalLM",
        read=replace(QKV_BIAS, qkv_bias="use_qkv_bias"),
        defaults={
            "vocab_size": 50304,
            "intermediate_size": 6912,
            "num_key_value_heads": 32,
            "max_position_embeddings": 4096,
        },
    ),
    "ernie4_5": Family(
        name="ERNIE 4.5",
        causal_lm="Ernie4_5ForCausalLM",
        read=Layout(qkv_bias="use_bias", output_bias="use_bias", mlp_bias="use_bias"),
        defaults={
            "vocab_size": 103424,
            "intermediate_size": 3072,
            "num_key_value_heads": 2,
            "head_dim": 128,
            "max_position_embeddings": 131072,
            "tie_word_embeddings": True,
        },
    ),
    "hunyuan_v1_dense": Family(
        name="Hunyuan",
        causal_lm="HunYuanDenseV1ForCausalLM",
        read=LLAMA,
        defaults={
            "vocab_size": 290943,
            "intermediate_size": 11008,
            "max_position_embeddings": 2048,
        },
    ),
    "glm4v_text": Family(
        name="GLM-4.1V",
        causal_lm="Glm4vTextModel",
        read=replace(QKV_BIAS, qkv_bias=True),
        defaults={
            "vocab_size": 151552,
            "intermediate_size": 13696,
            "num_key_value_heads": 2,
            "max_position_embeddings": 32768,
        },
        nested=sizes(4096, 40, 32),
    ),
    "nemotron-nas": Family(
        # not in transformers: Llamas from which parts were cut
        name="Llama Nemotron",
        causal_lm="DeciLMForCausalLM",
        read=by_block,
        defaults={
            "vocab_size": 128256,
            "max_position_embeddings": 131072,
            "block_configs": None,
        },
    ),
    "mimo": Family(
        # not in transformers: a Qwen2 beside layers that only predict more tokens ahead
        name="MiMo",
        causal_lm="MiMoForCausalLM",
        read=QWEN2,
        defaults=_QWEN2_DEFAULTS,
    ),
}

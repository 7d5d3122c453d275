"""Families with experts, and keys and values of each head."""

from dataclasses import replace

from sweetspot.catalog.expert_rules import (
    ROUTED,
    after_dense,
    after_first,
    experts,
    in_range,
    interleaved,
    shared_number,
    shared_width,
    sparse_step,
)
from sweetspot.catalog.families.dense import LLAMA, QWEN2
from sweetspot.catalog.families.family import Family, sizes
from sweetspot.catalog.readers import Layout
from sweetspot.catalog.windows import all_slide, by_pattern, from_layer_on, in_chunks, pattern_of

# every layer has experts as wide as the feed-forward layer of a dense model
_LOCAL = experts("num_local_experts", ffn="intermediate_size")
_GRANITE = {
    "vocab_size": 32000,
    "intermediate_size": 11008,
    "max_position_embeddings": 2048,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
}
_GLM_AIR = {
    "vocab_size": 151552,
    "intermediate_size": 10944,
    "moe_intermediate_size": 1408,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "n_routed_experts": 128,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "first_k_dense_replace": 1,
}

MIXTURES: dict[str, Family] = {
    "mixtral": Family(
        name="Mixtral",
        causal_lm="MixtralForCausalLM",
        read=replace(LLAMA, experts=_LOCAL, windows=all_slide),
        defaults={
            "vocab_size": 32000,
            "intermediate_size": 14336,
            "num_key_value_heads": 8,
            "max_position_embeddings": 131072,
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
        },
    ),
    "phimoe": Family(
        name="Phi-3.5-MoE",
        causal_lm="PhimoeForCausalLM",
        read=replace(LLAMA, experts=_LOCAL, windows=all_slide),
        defaults={
            "vocab_size": 32064,
            "intermediate_size": 6400,
            "num_key_value_heads": 8,
            "max_position_embeddings": 131072,
            "num_local_experts": 16,
            "num_experts_per_tok": 2,
        },
    ),
    "minimax_m2": Family(
        name="MiniMax-M2",
        causal_lm="MiniMaxM2ForCausalLM",
        read=Layout(qkv_bias=False, output_bias=False, experts=_LOCAL),
        defaults={
            "vocab_size": 200064,
            "intermediate_size": 1536,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 196608,
            "num_local_experts": 256,
            "num_experts_per_tok": 8,
        },
    ),
    "granitemoe": Family(
        name="Granite MoE",
        causal_lm="GraniteMoeForCausalLM",
        read=replace(LLAMA, experts=_LOCAL),
        defaults=_GRANITE,
    ),
    "granitemoeshared": Family(
        name="Granite MoE",
        causal_lm="GraniteMoeSharedForCausalLM",
        read=replace(
            LLAMA,
            experts=experts(
                "num_local_experts",
                ffn="intermediate_size",
                shared=shared_width("shared_intermediate_size"),
            ),
        ),
        defaults=_GRANITE,
    ),
    "olmoe": Family(
        name="OLMoE",
        causal_lm="OlmoeForCausalLM",
        read=replace(LLAMA, experts=experts(ffn="intermediate_size")),
        defaults={
            "vocab_size": 50304,
            "intermediate_size": 2048,
            "max_position_embeddings": 4096,
            "num_experts": 64,
            "num_experts_per_tok": 8,
        },
    ),
    "flex_olmo": Family(
        name="FlexOlmo",
        causal_lm="FlexOlmoForCausalLM",
        read=replace(LLAMA, experts=experts(ffn="intermediate_size")),
        defaults={
            "vocab_size": 100352,
            "intermediate_size": 11008,
            "max_position_embeddings": 4096,
            "num_experts": 7,
            "num_experts_per_tok": 5,
        },
    ),
    "gpt_oss": Family(
        name="gpt-oss",
        causal_lm="GptOssForCausalLM",
        read=Layout(
            mlp_bias=True,
            windows=by_pattern,
            experts=experts(
                "num_local_experts",
                per_token=("num_experts_per_tok", "experts_per_token"),
                ffn="intermediate_size",
            ),
        ),
        defaults={
            "vocab_size": 201088,
            "intermediate_size": 2880,
            "num_key_value_heads": 8,
            "head_dim": 64,
            "max_position_embeddings": 131072,
            "attention_bias": True,
            "sliding_window": 128,
            "sliding_window_pattern": 2,  # fixed in its code
            "num_local_experts": 128,
            "num_experts_per_tok": 4,
        },
    ),
    "qwen2_moe": Family(
        name="Qwen2-MoE",
        causal_lm="Qwen2MoeForCausalLM",
        read=replace(
            QWEN2,
            qkv_bias="qkv_bias",
            experts=experts(
                shared=shared_width("shared_expert_intermediate_size"), where=sparse_step
            ),
        ),
        defaults={
            "vocab_size": 151936,
            "intermediate_size": 5632,
            "num_key_value_heads": 16,
            "max_position_embeddings": 32768,
            "sliding_window": 4096,
            "max_window_layers": 28,
            "qkv_bias": True,
            "decoder_sparse_step": 1,
            "moe_intermediate_size": 1408,
            "shared_expert_intermediate_size": 5632,
            "num_experts": 60,
            "num_experts_per_tok": 4,
        },
    ),
    "qwen3_moe": Family(
        name="Qwen3-MoE",
        causal_lm="Qwen3MoeForCausalLM",
        read=Layout(
            windows=from_layer_on,
            experts=experts("num_experts", "num_local_experts", where=sparse_step),
        ),
        defaults={
            "vocab_size": 151936,
            "intermediate_size": 6144,
            "num_key_value_heads": 4,
            "max_position_embeddings": 32768,
            "sliding_window": 4096,
            "max_window_layers": 28,
            "decoder_sparse_step": 1,
            "moe_intermediate_size": 768,
            "num_experts": 128,
            "num_experts_per_tok": 8,
        },
    ),
    "qwen3_vl_moe_text": Family(
        name="Qwen3-VL-MoE",
        causal_lm="Qwen3VLMoeTextModel",
        read=Layout(experts=experts("num_experts", "num_local_experts", where=sparse_step)),
        defaults={
            "vocab_size": 151936,
            "intermediate_size": 5632,
            "num_key_value_heads": 16,
            "head_dim": 128,
            "max_position_embeddings": 128000,
            "decoder_sparse_step": 1,
            "moe_intermediate_size": 1408,
            "num_experts": 60,
            "num_experts_per_tok": 4,
        },
        nested=sizes(2048, 24, 16),
    ),
    "llama4_text": Family(
        name="Llama 4",
        causal_lm="Llama4ForCausalLM",
        read=Layout(
            ffn=("intermediate_size_mlp",),
            windows=in_chunks,
            experts=experts(
                "num_local_experts",
                ffn="intermediate_size",
                shared=shared_width("intermediate_size"),
                where=interleaved,
            ),
        ),
        defaults={
            "vocab_size": 202048,
            "intermediate_size": 8192,
            "intermediate_size_mlp": 16384,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 131072,
            "interleave_moe_layer_step": 1,
            "no_rope_layer_interval": 4,
            "attention_chunk_size": 8192,
            "num_local_experts": 16,
            "num_experts_per_tok": 1,
        },
        nested=sizes(5120, 48, 40),
    ),
    "glm4_moe": Family(
        name="GLM-4.5",
        causal_lm="Glm4MoeForCausalLM",
        read=Layout(output_bias=False, experts=ROUTED),
        defaults=_GLM_AIR,
    ),
    "glm4v_moe_text": Family(
        name="GLM-4.5V",
        causal_lm="Glm4vMoeTextModel",
        read=Layout(output_bias=False, experts=ROUTED),
        defaults=_GLM_AIR
        | {"vocab_size": 151424, "max_position_embeddings": 65536, "attention_bias": True},
        nested=sizes(4096, 46, 96),
    ),
    "solar_open": Family(
        name="Solar Open",
        causal_lm="SolarOpenForCausalLM",
        # all layers have experts, so that a feed-forward layer has no width of its own
        read=Layout(
            output_bias=False,
            ffn=("moe_intermediate_size",),
            experts=experts(
                "n_routed_experts",
                shared=shared_number("n_shared_experts", "moe_intermediate_size"),
            ),
        ),
        defaults={
            "vocab_size": 196608,
            "moe_intermediate_size": 1280,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 131072,
            "n_routed_experts": 128,
            "n_shared_experts": 1,
            "num_experts_per_tok": 8,
        },
    ),
    "exaone_moe": Family(
        name="K-EXAONE",
        causal_lm="ExaoneMoeForCausalLM",
        read=Layout(
            qkv_bias=False,
            output_bias=False,
            windows=by_pattern,
            experts=experts(
                shared=shared_number("num_shared_experts", "moe_intermediate_size"),
                where=after_first,
            ),
        ),
        defaults={
            "vocab_size": 102400,
            "intermediate_size": 16384,
            "moe_intermediate_size": 1024,
            "num_key_value_heads": 32,
            "max_position_embeddings": 2048,
            "sliding_window": 4096,
            "sliding_window_pattern": 4,
            "num_experts": 64,
            "num_shared_experts": 1,
            "num_experts_per_tok": 8,
            "first_k_dense_replace": 1,
        },
    ),
    "afmoe": Family(
        name="Trinity",
        causal_lm="AfmoeForCausalLM",
        read=Layout(
            gated_attention=True,
            windows=pattern_of("global_attn_every_n_layers"),
            experts=experts(
                shared=shared_number("num_shared_experts", "moe_intermediate_size"),
                where=after_dense,
            ),
        ),
        defaults={
            "vocab_size": 200192,
            "intermediate_size": 6144,
            "moe_intermediate_size": 1408,
            "num_key_value_heads": 16,
            "head_dim": 128,
            "max_position_embeddings": 16384,
            "sliding_window": 1024,
            "global_attn_every_n_layers": 4,
            "num_experts": 64,
            "num_shared_experts": 2,
            "num_experts_per_tok": 6,
            "num_dense_layers": 1,
        },
    ),
    "dots1": Family(
        name="dots.llm1",
        causal_lm="Dots1ForCausalLM",
        read=replace(LLAMA, experts=ROUTED),
        defaults={
            "vocab_size": 152064,
            "intermediate_size": 10944,
            "moe_intermediate_size": 1408,
            "num_key_value_heads": 32,
            "max_position_embeddings": 2048,
            "first_k_dense_replace": 0,
        },
    ),
    "ernie4_5_moe": Family(
        name="ERNIE 4.5 MoE",
        causal_lm="Ernie4_5_MoeForCausalLM",
        read=Layout(
            qkv_bias="use_bias",
            output_bias="use_bias",
            mlp_bias="use_bias",
            experts=experts(
                "moe_num_experts",
                per_token=("moe_k",),
                shared=shared_number("moe_num_shared_experts", "moe_intermediate_size"),
                where=in_range,
            ),
        ),
        defaults={
            "vocab_size": 103424,
            "intermediate_size": 12288,
            "num_key_value_heads": 4,
            "max_position_embeddings": 131072,
            "tie_word_embeddings": True,
            "moe_intermediate_size": 1536,
            "moe_num_experts": 64,
            "moe_k": 6,
            "moe_num_shared_experts": 2,
            "moe_layer_start_index": 1,
            "moe_layer_interval": 1,
        },
    ),
}

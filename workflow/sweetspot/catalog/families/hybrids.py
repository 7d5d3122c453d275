"""Families in which some layers have a state in place of a KV cache, or beside it."""

from dataclasses import replace

from sweetspot.catalog.expert_rules import experts, shared_width, sparse_step
from sweetspot.catalog.families.family import Family, sizes
from sweetspot.catalog.hybrid_rules import (
    delta_rule,
    expert_blocks,
    mamba_beside_attention,
    mamba_but_for_indices,
    mamba_by_type,
    one_part_a_layer,
)
from sweetspot.catalog.readers import Layout, granite_hybrid

_BAMBA = {
    "vocab_size": 128000,
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "mamba_n_heads": 128,
    "mamba_n_groups": 1,
    "mamba_d_state": 256,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_chunk_size": 256,
}
_QWEN = {
    "head_dim": 256,
    "max_position_embeddings": 32768,
    "full_attention_interval": 4,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
}
# norms of Gemma's kind: transformers, Qwen3NextRMSNorm
_DELTA = Layout(hybrid=delta_rule, gated_attention=True, offset_norms=2)
_QWEN_EXPERTS = experts(shared=shared_width("shared_expert_intermediate_size"))

HYBRIDS: dict[str, Family] = {
    "bamba": Family(
        name="Bamba",
        causal_lm="BambaForCausalLM",
        read=Layout(hybrid=mamba_but_for_indices),
        defaults=_BAMBA | {"max_position_embeddings": 262144},
    ),
    "falcon_h1": Family(
        name="Falcon-H1",
        causal_lm="FalconH1ForCausalLM",
        read=Layout(hybrid=mamba_beside_attention),
        defaults=_BAMBA | {"max_position_embeddings": 8192, "mamba_d_ssm": 1024},
    ),
    "granitemoehybrid": Family(
        name="Granite 4",
        causal_lm="GraniteMoeHybridForCausalLM",
        read=granite_hybrid(
            Layout(
                hybrid=mamba_by_type,
                experts=experts(
                    "num_local_experts",
                    ffn="intermediate_size",
                    shared=shared_width("shared_intermediate_size"),
                ),
            )
        ),
        defaults={
            "vocab_size": 32000,
            "intermediate_size": 11008,
            "max_position_embeddings": 2048,
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
            "shared_intermediate_size": 1024,
            "mamba_n_heads": 128,
            "mamba_n_groups": 1,
            "mamba_d_state": 256,
            "mamba_d_conv": 4,
            "mamba_expand": 2,
            "mamba_chunk_size": 256,
        },
    ),
    "nemotron_h": Family(
        name="Nemotron-H and Nemotron 3",
        causal_lm="NemotronHForCausalLM",
        read=Layout(
            gated_ffn=False,
            positions="none",
            head_dim=("head_dim", "attention_head_dim"),
            hybrid=one_part_a_layer,
            experts=experts(
                "n_routed_experts",
                shared=shared_width("moe_shared_expert_intermediate_size"),
                width="moe_latent_size",
                where=expert_blocks,
            ),
        ),
        defaults={
            "vocab_size": 131072,
            "intermediate_size": 21504,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 4096,
            "mamba_num_heads": 128,
            "mamba_head_dim": 64,
            "ssm_state_size": 128,
            "n_groups": 8,
            "conv_kernel": 4,
            "chunk_size": 128,
        },
    ),
    "qwen3_next": Family(
        name="Qwen3-Next",
        causal_lm="Qwen3NextForCausalLM",
        read=replace(
            _DELTA,
            experts=experts(
                shared=shared_width("shared_expert_intermediate_size"), where=sparse_step
            ),
        ),
        defaults=_QWEN
        | {
            "vocab_size": 151936,
            "intermediate_size": 5632,
            "num_key_value_heads": 2,
            "decoder_sparse_step": 1,
            "moe_intermediate_size": 512,
            "shared_expert_intermediate_size": 512,
            "num_experts": 512,
            "num_experts_per_tok": 10,
        },
    ),
    "qwen3_5_text": Family(
        name="Qwen3.5",
        causal_lm="Qwen3_5ForCausalLM",
        read=_DELTA,
        defaults=_QWEN
        | {"vocab_size": 248320, "intermediate_size": 12288, "num_key_value_heads": 4},
        nested=sizes(4096, 32, 16),
    ),
    "qwen3_5_moe_text": Family(
        name="Qwen3.5",
        causal_lm="Qwen3_5MoeForCausalLM",
        # all layers have experts, so that a feed-forward layer has no width of its own
        read=replace(_DELTA, ffn=("moe_intermediate_size",), experts=_QWEN_EXPERTS),
        defaults=_QWEN
        | {
            "vocab_size": 248320,
            "num_key_value_heads": 2,
            "moe_intermediate_size": 512,
            "shared_expert_intermediate_size": 512,
            "num_experts": 256,
            "num_experts_per_tok": 8,
        },
        nested=sizes(2048, 40, 16),
    ),
}

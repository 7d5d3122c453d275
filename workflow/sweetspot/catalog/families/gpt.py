"""Families with two feed-forward matrices: GPT-2's kind, and what was published before Llama."""

from dataclasses import replace

from sweetspot.catalog.families.family import Family
from sweetspot.catalog.readers import GPT, PLAIN, Layout, falcon, gpt_bigcode, mpt, opt
from sweetspot.catalog.windows import all_slide, local_of_types

_FALCON = {
    "vocab_size": 65024,
    "max_position_embeddings": 2048,
    "multi_query": True,
    "tie_word_embeddings": True,
}
_GPT = {"vocab_size": 50257, "n_positions": 1024, "tie_word_embeddings": True}
_GROUPED = Layout(gated_ffn=False)  # key-value heads as Llama has them
_GPTJ = replace(GPT, positions="rope", qkv_bias=False, output_bias=False)

GPT_LIKE: dict[str, Family] = {
    "opt": Family(
        name="OPT",
        causal_lm="OPTForCausalLM",
        read=opt,
        defaults={
            "vocab_size": 50272,
            "ffn_dim": 3072,
            "max_position_embeddings": 2048,
            "enable_bias": True,
            "tie_word_embeddings": True,
        },
    ),
    "falcon": Family(name="Falcon", causal_lm="FalconForCausalLM", read=falcon, defaults=_FALCON),
    # Falcon's model types before it joined transformers: 7B and RW, 40B.
    "RefinedWebModel": Family(
        name="Falcon", causal_lm="RWForCausalLM", read=falcon, defaults=_FALCON
    ),
    "RefinedWeb": Family(
        name="Falcon",
        causal_lm="RWForCausalLM",
        read=falcon,
        defaults=_FALCON | {"new_decoder_architecture": True},
    ),
    "gptj": Family(
        name="GPT-J",
        causal_lm="GPTJForCausalLM",
        read=_GPTJ,
        defaults={"vocab_size": 50400, "n_positions": 2048},
    ),
    "codegen": Family(
        name="CodeGen",
        causal_lm="CodeGenForCausalLM",
        read=_GPTJ,
        defaults={"vocab_size": 50400, "n_positions": 2048},
    ),
    "gpt2": Family(name="GPT-2", causal_lm="GPT2LMHeadModel", read=GPT, defaults=_GPT),
    "gpt_bigcode": Family(
        name="GPT-BigCode",
        causal_lm="GPTBigCodeForCausalLM",
        read=gpt_bigcode,
        defaults=_GPT | {"multi_query": True},
    ),
    "gpt_neox": Family(
        name="GPT-NeoX",
        causal_lm="GPTNeoXForCausalLM",
        read=replace(PLAIN, mlp_bias=True),
        defaults={
            "vocab_size": 50432,
            "intermediate_size": 24576,
            "max_position_embeddings": 2048,
            "attention_bias": True,
        },
    ),
    "bloom": Family(
        name="BLOOM",
        causal_lm="BloomForCausalLM",
        read=replace(
            PLAIN,
            hidden=("hidden_size", "n_embed"),
            layers=("n_layer", "num_hidden_layers"),
            heads=("n_head", "num_attention_heads"),
            ffn=(),
            ffn_of_hidden=4,
            max_positions=("seq_length",),
            positions="alibi",
            qkv_bias=True,
            output_bias=True,
            mlp_bias=True,
        ),
        # the length is that of its training (BLOOM, arXiv 2211.05100): ALiBi has no end
        defaults={"vocab_size": 250880, "seq_length": 2048, "tie_word_embeddings": True},
    ),
    "mpt": Family(
        name="MPT",
        causal_lm="MPTForCausalLM",
        read=mpt,
        defaults={
            "vocab_size": 50368,
            "max_seq_len": 2048,
            "expansion_ratio": 4,
            "no_bias": True,
            "tie_word_embeddings": True,
        },
    ),
    "phi": Family(
        name="Phi",
        causal_lm="PhiForCausalLM",
        read=replace(_GROUPED, qkv_bias=True, output_bias=True, mlp_bias=True),
        defaults={
            "vocab_size": 51200,
            "intermediate_size": 8192,
            "max_position_embeddings": 2048,
        },
    ),
    "starcoder2": Family(
        name="StarCoder2",
        causal_lm="Starcoder2ForCausalLM",
        read=replace(
            _GROUPED,
            qkv_bias="use_bias",
            output_bias="use_bias",
            mlp_bias="use_bias",
            windows=all_slide,
        ),
        defaults={
            "vocab_size": 49152,
            "intermediate_size": 12288,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "use_bias": True,
            "tie_word_embeddings": True,
        },
    ),
    "gpt_neo": Family(
        name="GPT-Neo",
        causal_lm="GPTNeoForCausalLM",
        read=replace(
            PLAIN,
            layers=("num_layers",),
            heads=("num_heads",),
            ffn_of_hidden=4,
            positions="absolute",
            qkv_bias=False,
            output_bias=True,
            mlp_bias=True,
            windows=local_of_types,
        ),
        defaults={
            "vocab_size": 50257,
            "max_position_embeddings": 2048,
            "window_size": 256,
            "tie_word_embeddings": True,
        },
    ),
    "persimmon": Family(
        name="Persimmon",
        causal_lm="PersimmonForCausalLM",
        read=replace(PLAIN, qkv_bias=True, output_bias=True, mlp_bias=True),
        defaults={
            "vocab_size": 262144,
            "intermediate_size": 16384,
            "max_position_embeddings": 16384,
        },
    ),
    "jais2": Family(
        name="Jais 2",
        causal_lm="Jais2ForCausalLM",
        read=_GROUPED,
        defaults={
            "vocab_size": 150272,
            "intermediate_size": 26624,
            "head_dim": 128,
            "max_position_embeddings": 8192,
            "attention_bias": True,
            "mlp_bias": True,
        },
    ),
    "nemotron": Family(
        name="Nemotron",
        causal_lm="NemotronForCausalLM",
        read=_GROUPED,
        defaults={
            "vocab_size": 256000,
            "intermediate_size": 24576,
            "max_position_embeddings": 4096,
        },
    ),
    "arcee": Family(
        name="Arcee",
        causal_lm="ArceeForCausalLM",
        read=_GROUPED,
        defaults={
            "vocab_size": 32000,
            "intermediate_size": 18432,
            "max_position_embeddings": 4096,
        },
    ),
    "apertus": Family(
        name="Apertus",
        causal_lm="ApertusForCausalLM",
        read=replace(_GROUPED, mlp_bias=False),
        defaults={
            "vocab_size": 131072,
            "intermediate_size": 14336,
            "max_position_embeddings": 65536,
        },
    ),
}

"""Model families whose config.json can be read, with the defaults of their config classes.

Source of all defaults: transformers, the class named with each family.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweetspot.catalog.readers import Reader, falcon, gated, gptj, opt


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family.

    Attributes:
        name: as people write it.
        causal_lm: the class that `architectures` names.
        read: makes the architecture of the file's fields.
        defaults: the config class's values for keys that a file may leave out.
    """

    name: str
    causal_lm: str
    read: Reader
    defaults: Mapping[str, Any]


_FALCON_DEFAULTS = {  # FalconConfig
    "vocab_size": 65024,
    "max_position_embeddings": 2048,
    "multi_query": True,
    "tie_word_embeddings": True,
}

# By model_type. The sizes in which models differ have no default on purpose, but for
# Gemma 3: its multimodal files leave out whatever equals the default (as Gemma 3 4B's does).
FAMILIES: dict[str, Family] = {
    "llama": Family(
        name="Llama",
        causal_lm="LlamaForCausalLM",
        read=gated(),
        defaults={  # LlamaConfig
            "vocab_size": 32000,
            "intermediate_size": 11008,
            "max_position_embeddings": 2048,
        },
    ),
    "mistral": Family(
        name="Mistral",
        causal_lm="MistralForCausalLM",
        read=gated("all"),
        defaults={  # MistralConfig
            "vocab_size": 32000,
            "intermediate_size": 14336,
            "num_key_value_heads": 8,
            "max_position_embeddings": 131072,
            "sliding_window": 4096,
        },
    ),
    "qwen2": Family(
        name="Qwen2",
        causal_lm="Qwen2ForCausalLM",
        read=gated("tail", qkv_bias=True),
        defaults={  # Qwen2Config
            "vocab_size": 151936,
            "intermediate_size": 22016,
            "num_key_value_heads": 32,
            "max_position_embeddings": 32768,
            "sliding_window": 4096,
            "max_window_layers": 28,
        },
    ),
    "qwen3": Family(
        name="Qwen3",
        causal_lm="Qwen3ForCausalLM",
        read=gated("tail"),
        defaults={  # Qwen3Config
            "vocab_size": 151936,
            "intermediate_size": 22016,
            "num_key_value_heads": 32,
            "head_dim": 128,
            "max_position_embeddings": 32768,
            "sliding_window": 4096,
            "max_window_layers": 28,
        },
    ),
    "gemma": Family(
        name="Gemma",
        causal_lm="GemmaForCausalLM",
        read=gated(),
        defaults={  # GemmaConfig
            "vocab_size": 256000,
            "intermediate_size": 24576,
            "num_key_value_heads": 16,
            "head_dim": 256,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
        },
    ),
    "gemma2": Family(
        name="Gemma 2",
        causal_lm="Gemma2ForCausalLM",
        read=gated("pattern"),
        defaults={  # Gemma2Config; the pattern is fixed in its code
            "vocab_size": 256000,
            "intermediate_size": 9216,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
            "sliding_window": 4096,
            "sliding_window_pattern": 2,
        },
    ),
    "gemma3_text": Family(
        name="Gemma 3",
        causal_lm="Gemma3ForCausalLM",
        read=gated("pattern"),
        defaults={  # Gemma3TextConfig
            "vocab_size": 262208,
            "intermediate_size": 9216,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "max_position_embeddings": 131072,
            "tie_word_embeddings": True,
            "sliding_window": 4096,
            "sliding_window_pattern": 6,
        },
    ),
    "granite": Family(
        name="Granite",
        causal_lm="GraniteForCausalLM",
        read=gated(),
        defaults={  # GraniteConfig
            "vocab_size": 32000,
            "intermediate_size": 11008,
            "max_position_embeddings": 2048,
        },
    ),
    "phi3": Family(
        name="Phi-3",
        causal_lm="Phi3ForCausalLM",
        read=gated("all"),
        defaults={  # Phi3Config
            "vocab_size": 32064,
            "intermediate_size": 8192,
            "max_position_embeddings": 4096,
        },
    ),
    "opt": Family(
        name="OPT",
        causal_lm="OPTForCausalLM",
        read=opt,
        defaults={  # OPTConfig
            "vocab_size": 50272,
            "ffn_dim": 3072,
            "max_position_embeddings": 2048,
            "enable_bias": True,
            "tie_word_embeddings": True,
        },
    ),
    "falcon": Family(
        name="Falcon",
        causal_lm="FalconForCausalLM",
        read=falcon,
        defaults=_FALCON_DEFAULTS,
    ),
    # Falcon's model types before it joined transformers: 7B and RW, 40B.
    "RefinedWebModel": Family(
        name="Falcon", causal_lm="RWForCausalLM", read=falcon, defaults=_FALCON_DEFAULTS
    ),
    "RefinedWeb": Family(
        name="Falcon",
        causal_lm="RWForCausalLM",
        read=falcon,
        defaults=_FALCON_DEFAULTS | {"new_decoder_architecture": True},
    ),
    "gptj": Family(
        name="GPT-J",
        causal_lm="GPTJForCausalLM",
        read=gptj,
        defaults={"vocab_size": 50400, "n_positions": 2048},  # GPTJConfig
    ),
}

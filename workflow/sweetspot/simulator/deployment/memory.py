"""How much of the GPU's memory is left for the KV cache."""

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.gpus import Gpu
from sweetspot.simulator.deployment.shard import as_shard

# CUDA context, cuBLAS and NCCL workspaces, the engine's own buffers: about 1 GB on data-centre
# boards (what nvidia-smi shows for an engine beyond its weights, KV cache and activations).
RUNTIME_BYTES = 1_000_000_000


def activation_bytes(architecture: Architecture, max_num_tokens: int, max_batch_size: int) -> int:
    """Return the bytes of the largest iteration's activations and of the logits of a full batch.

    One layer's tensors are alive at a time: residual, normed input, attention and FFN output
    (hidden each), Q, K and V, and the FFN's branches; of experts, a token's input, branches and
    output in each; of states, what a token is projected to. Logits are FP32 and lie there three
    times: the engine's output, the decoder's copy, and the log-probabilities of its sampling
    workspace (TensorRT-LLM: DecodingLayerWorkspace, getTopKWorkspaceSizes).
    """
    a = architecture
    branches = 2 if a.gated_ffn else 1
    mixer = a.query_size + 2 * a.kv_size
    if a.latent:
        mixer = (a.latent.query_rank or 0) + a.latent.cached + a.query_size + a.expanded_size
    if a.state:
        mixer = max(mixer, a.state.projected)
    ffn = branches * a.ffn if a.ffn_layers else 0
    if e := a.experts:
        ffn = max(
            ffn,
            e.per_token * (2 * (e.width or a.hidden) + branches * e.ffn) + branches * e.shared_ffn,
        )
    per_token = 4 * a.hidden + mixer + ffn
    logits = 3 * 4 * max_batch_size * as_shard(a).full_vocab
    return max_num_tokens * per_token * a.bytes_per_element + logits


def free_bytes(
    architecture: Architecture, gpu: Gpu, max_num_tokens: int, max_batch_size: int
) -> int:
    """Return the bytes left beside weights, activations and runtime; negative if none are.

    States are laid out for a full batch (TensorRT-LLM: MambaCacheManager).
    """
    activations = activation_bytes(architecture, max_num_tokens, max_batch_size)
    states = max_batch_size * architecture.state_bytes
    return gpu.memory_bytes - architecture.weight_bytes - activations - states - RUNTIME_BYTES


def kv_cache_blocks(
    architecture: Architecture,
    gpu: Gpu,
    *,
    max_num_tokens: int,
    max_batch_size: int,
    memory_fraction: float,
    tokens_per_block: int,
) -> int:
    """Return how many KV-cache blocks fit in `memory_fraction` of the free memory; 0 if none.

    A block is one of every layer. Where layers slide, a long sequence takes fewer of theirs
    (`windows.py`).
    """
    free = free_bytes(architecture, gpu, max_num_tokens, max_batch_size)
    block_bytes = architecture.kv_bytes_per_token * tokens_per_block
    return max(0, int(free * memory_fraction) // block_bytes)

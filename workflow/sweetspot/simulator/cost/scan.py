"""What the scan of a state layer takes: FLOPs and bytes of a token, and of a step of decode.

A prompt is scanned in chunks: within one as a matrix product of C, B and the inputs, from one to
the next as states. Source: Mamba-2 (arXiv 2405.21060), section 6; the passes over the states are
those of its kernels (mamba_ssm: chunk state, state passing, chunk scan), which hold them in FP32.
The delta rule's chunks (arXiv 2412.06464, section 3.3) take products of keys with keys as well,
weigh keys and values by them, and ask the state what it holds before it is written.
"""

from sweetspot.catalog.parts import StateLayers

_STATE_BYTES = 4
_STATE_PASSES = 4  # written by chunk, read and written in passing, read by the scan


def prompt_flops(s: StateLayers) -> int:
    """Return the FLOPs of scanning one token of a prompt, all layers together.

    The products within a chunk are computed in full, though only what is before a token counts.
    """
    keys = s.heads * s.state
    within, states = s.groups * s.state + s.inner, 2
    if s.delta_rule:
        within, states = 2 * s.groups * s.state + keys + 2 * s.inner, 3
    return s.layers * (2 * s.chunk * within + 2 * states * s.state_size)


def prompt_bytes(s: StateLayers) -> float:
    """Return the bytes of states that one token of a prompt moves, all layers together."""
    return s.layers * _STATE_PASSES * _STATE_BYTES * s.state_size / s.chunk


def decode_flops(s: StateLayers) -> int:
    """Return the FLOPs of one step of decode: the state decays, takes a token up, and is read.

    By the delta rule it is read before, too.
    """
    return s.layers * (7 if s.delta_rule else 5) * s.state_size

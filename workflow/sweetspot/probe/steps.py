"""What a probe measures, most informative first, and what work each kernel is."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["cold", "wait", "tick", "copy", "read", "gemm", "attention", "norm", "stack"]
Precision = Literal["bf16", "fp8"]
BYTES = 2  # of an element in BF16
GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One kernel, run for some seconds.

    Attributes:
        id: its name in files.
        kind: which kernel; `cold` is a board without any program.
        tells: what it is measured for.
        sizes: of the kernel, as workers/probe_worker.py names them.
        data: of its operands: what products draw hangs on them.
        precision: of a KV cache.
        compiled: by torch.compile; decoder layers run as a CUDA graph then.
        duty: share of the time in which it runs.
    """

    id: str
    kind: Kind
    tells: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    data: Literal["normal", "zeros"] = "normal"
    precision: Precision = "bf16"
    compiled: bool = False
    duty: float = 1.0

    @property
    def flops(self) -> float:
        """Floating-point operations of one pass."""
        s = self.sizes
        if self.kind == "gemm":
            return 2.0 * s["m"] * s["n"] * s["k"]
        if self.kind == "attention":
            return 4.0 * s["batch"] * s["heads"] * s["head_size"] * s["tokens"]
        if self.kind == "stack":
            attention = 4.0 * s["heads"] * s["head_size"] * s["tokens"]
            return s["layers"] * s["batch"] * (2.0 * self._layer_weights + attention)
        return 0.0

    @property
    def bytes(self) -> float:
        """Bytes of one pass to and from memory, beside those of a KV cache."""
        s = self.sizes
        if self.kind == "copy":
            return 2.0 * BYTES * s["elements"]
        if self.kind == "read":
            return 1.0 * BYTES * s["elements"]
        if self.kind == "gemm":
            return float(BYTES) * (s["m"] * s["k"] + s["k"] * s["n"] + s["m"] * s["n"])
        if self.kind == "stack":
            return float(BYTES) * s["layers"] * self._layer_weights
        return 0.0

    @property
    def kv_bytes(self) -> float:
        """Bytes of a KV cache that one pass reads."""
        s = self.sizes
        if self.kind not in ("attention", "stack"):
            return 0.0
        of_element = 1 if self.precision == "fp8" else BYTES
        elements = 2.0 * s["batch"] * s["kv_heads"] * s["head_size"] * s["tokens"]
        return of_element * elements * s.get("layers", 1)

    @property
    def queries_per_kv_head(self) -> float:
        """Query heads that share a head of the KV cache."""
        return self.sizes["heads"] / self.sizes["kv_heads"] if "kv_heads" in self.sizes else 1.0

    @property
    def _layer_weights(self) -> int:
        """Elements of a decoder layer's weights, norms left out."""
        s = self.sizes
        attention = 2 * (s["heads"] + s["kv_heads"]) * s["head_size"]
        return s["width"] * (attention + 3 * s["inner"])


def steps() -> tuple[Step, ...]:
    """Return all steps in their order."""
    idle, byte, flop, kv = "idle_power_w", "byte_energy_j", "flop_energy_j", "kv_byte_energy_j"
    found = [
        Step(id="cold", kind="cold", tells=idle),
        Step(id="context", kind="wait", tells="a context that waits"),
        Step(id="tick", kind="tick", tells="active_power_w"),
        _copy(1.0, byte),
        _gemm(8192, flop),
        _attention(128, 4, kv),
        _copy(0.5, byte),
        _gemm(1, byte),
        _gemm(256, "where reading turns into computing"),
        _gemm(8192, "what data do", data="zeros"),
        _copy(0.25, byte),
        Step(id="read", kind="read", tells=byte, sizes={"elements": GIB}),
        *(_gemm(m, "power and clock against work") for m in (64, 1024, 16, 128, 512, 2048)),
        *(_attention(128, queries, "kv_energy_sharing") for queries in (1, 8)),
        *(_attention(size, 4, kv) for size in (64, 256)),
        *(_stack(1, batch, "host and GPU time of a step") for batch in (1, 32, 512)),
        *(_gemm(m, "a smaller matrix", size=4096) for m in (4096, 64)),
        *(_attention(64, queries, "kv_energy_sharing") for queries in (1, 8)),
        *(_gemm(m, "what data do", data="zeros") for m in (1, 1024)),
        *(_attention(256, queries, "kv_energy_sharing") for queries in (1, 8)),
        _stack(8, 1, "time per layer"),
        _norm(compiled=False),
        # compiling takes several windows' time, and no constant of a board hangs on it
        _stack(1, 1, "host and GPU time of a step", compiled=True),
        _stack(8, 1, "time per layer", compiled=True),
        _norm(compiled=True),
        _attention(128, 1, "an FP8 cache", precision="fp8"),
        *(_stack(1, batch, "host and GPU time of a step", compiled=True) for batch in (32, 512)),
        _attention(128, 4, "an FP8 cache", precision="fp8"),
        *(_stack(1, batch, "host and GPU time of a step") for batch in (8, 128)),
        *(_stack(layers, 1, "time per layer") for layers in (2, 16)),
        *(_attention(size, 1, "an FP8 cache", precision="fp8") for size in (64, 256)),
        *(_stack(1, batch, "host and GPU time of a step", compiled=True) for batch in (8, 128)),
        *(_stack(layers, 1, "time per layer", compiled=True) for layers in (2, 16)),
    ]
    return tuple(found)


def _copy(duty: float, tells: str) -> Step:
    return Step(
        id=f"copy-{100 * duty:.0f}", kind="copy", tells=tells, sizes={"elements": GIB}, duty=duty
    )


def _gemm(
    m: int, tells: str, *, size: int = 8192, data: Literal["normal", "zeros"] = "normal"
) -> Step:
    return Step(
        id=f"gemm-{m}x{size}-{data}",
        kind="gemm",
        tells=tells,
        sizes={"m": m, "n": size, "k": size},
        data=data,
    )


def _norm(*, compiled: bool) -> Step:
    return Step(
        id="norm-compiled" if compiled else "norm",
        kind="norm",
        tells="what fusing a norm saves" if compiled else "norms in kernels of their own",
        sizes={"rows": 8192, "width": 4096},
        compiled=compiled,
    )


def _stack(layers: int, batch: int, tells: str, *, compiled: bool = False) -> Step:
    """A decode step of layers of Llama 3.1 8B's shape, after 512 tokens."""
    sizes = {"layers": layers, "batch": batch, "width": 4096, "inner": 14336}
    heads = {"heads": 32, "kv_heads": 8, "head_size": 128, "tokens": 512}
    return Step(
        id=f"layers-{layers}-batch-{batch}-{'compiled' if compiled else 'eager'}",
        kind="stack",
        tells=tells,
        sizes=sizes | heads,
        compiled=compiled,
    )


def _attention(head_size: int, queries: int, tells: str, *, precision: Precision = "bf16") -> Step:
    """Decode attention over 2 GiB of KV cache in BF16, whatever its heads; over half in FP8."""
    kv_heads, tokens = 8, 4096
    batch = 2 * GIB // (2 * BYTES * kv_heads * head_size * tokens)
    sizes = {
        "batch": batch,
        "heads": kv_heads * queries,
        "kv_heads": kv_heads,
        "head_size": head_size,
        "tokens": tokens,
    }
    return Step(
        id=f"attention-{head_size}-by-{queries}" + "-fp8" * (precision == "fp8"),
        kind="attention",
        tells=tells,
        sizes=sizes,
        precision=precision,
        compiled=precision == "fp8",
    )


def small(step: Step) -> Step:
    """Return a step of sizes that a CPU has done with in a moment, to try the path."""
    most = {"elements": 2**18, "rows": 64, "width": 256, "tokens": 64, "batch": 2}
    most |= {"head_size": 16, "layers": 2}
    return replace(
        step, sizes={name: min(value, most.get(name, 128)) for name, value in step.sizes.items()}
    )

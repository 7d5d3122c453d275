"""What a probe measures, most informative first, and what work each kernel is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["cold", "wait", "tick", "copy", "read", "gemm", "attention", "norm"]
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
        duty: share of the time in which it runs.
    """

    id: str
    kind: Kind
    tells: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    data: Literal["normal", "zeros"] = "normal"
    duty: float = 1.0

    @property
    def flops(self) -> float:
        """Floating-point operations of one pass."""
        s = self.sizes
        if self.kind == "gemm":
            return 2.0 * s["m"] * s["n"] * s["k"]
        if self.kind == "attention":
            return 4.0 * s["batch"] * s["heads"] * s["head_size"] * s["tokens"]
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
        return 0.0

    @property
    def kv_bytes(self) -> float:
        """Bytes of a KV cache that one pass reads."""
        s = self.sizes
        if self.kind != "attention":
            return 0.0
        return 2.0 * BYTES * s["batch"] * s["kv_heads"] * s["head_size"] * s["tokens"]

    @property
    def queries_per_kv_head(self) -> float:
        """Query heads that share a head of the KV cache."""
        return self.sizes["heads"] / self.sizes["kv_heads"] if self.kind == "attention" else 1.0


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
        *(_gemm(m, "a smaller matrix", size=4096) for m in (4096, 64)),
        *(_gemm(m, "what data do", data="zeros") for m in (1, 1024)),
        *(_attention(64, queries, "kv_energy_sharing") for queries in (1, 8)),
        Step(
            id="norm",
            kind="norm",
            tells="norms in kernels of their own",
            sizes={"rows": 8192, "width": 4096},
        ),
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


def _attention(head_size: int, queries: int, tells: str) -> Step:
    """Decode attention over 2 GiB of KV cache, whatever its heads."""
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
        id=f"attention-{head_size}-by-{queries}", kind="attention", tells=tells, sizes=sizes
    )


def small(step: Step) -> Step:
    """Return a step of sizes that a CPU has done with in a moment, to try the path."""
    most = {"elements": 2**18, "rows": 64, "width": 256, "tokens": 64, "batch": 2}
    sizes = {name: min(value, most.get(name, 128)) for name, value in step.sizes.items()}
    return Step(
        id=step.id, kind=step.kind, tells=step.tells, sizes=sizes, data=step.data, duty=step.duty
    )

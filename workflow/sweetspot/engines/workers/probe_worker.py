"""Kernels one at a time, as a worker: copies, products, attention, decoder layers, and waiting.

Order "load": device "cuda" or "cpu".
Order "run": kind, sizes, data, precision, compiled, duty, warm_up_s, min_window_s. The kernel runs
back to back, or for `duty` of the time in bursts, until the window is long enough; "passes" of the
answer counts it. A compiled one is torch.compile's; decoder layers are then replayed as one CUDA
graph, too. On a CPU nothing is generated, which would take longer than all else.
"""

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch
from torch.nn import functional

BURST_S = 0.01  # kernels are queued for about this long, then waited for
PAST_CACHES_BYTES = 2**28  # weights take turns: none is still in a cache when it is read again
TICK_S = 1e-3  # between kernels of nothing that keep clocks up

Kernel = Callable[[], object]


@dataclass(frozen=True)
class Operands:
    """Draws a kernel's operands, N(0, 0.02) or zeros, and makes of a function what is to run."""

    device: str
    dtype: torch.dtype
    generator: torch.Generator
    zeros: bool
    compiled: bool
    fp8: bool

    def __call__(self, *shape: int) -> torch.Tensor:
        """Return one operand."""
        tensor = torch.zeros(shape, device=self.device, dtype=self.dtype)
        return tensor if self.zeros else tensor.normal_(std=0.02, generator=self.generator)

    def form(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function as it is, or compiled."""
        if not self.compiled:
            return function
        torch._dynamo.reset()  # no guards of the kernel before
        generated = "inductor" if self.device == "cuda" else "eager"
        compiled: Callable[..., Any] = torch.compile(function, backend=generated, dynamic=False)
        return compiled


def load(order: Mapping[str, Any]) -> "Kernels":
    """Return what runs kernels on the device of an order.

    Raises:
        ImportError: a GPU is asked for, and this PyTorch finds none.
    """
    if order["device"] == "cuda" and not torch.cuda.is_available():
        raise ImportError(f"PyTorch {torch.__version__} finds no GPU")
    return Kernels(order["device"])


class Kernels:
    """A device that runs kernels; `facts` are what a record says of it."""

    def __init__(self, device: str) -> None:
        """Begin a context on the device."""
        self._device, self._on_gpu = device, device == "cuda"
        self._dtype = torch.bfloat16 if self._on_gpu else torch.float32
        self.facts = {
            "device": "cpu",
            "engine_python": platform.python_version(),
            "torch": torch.__version__,
            "dtype": str(self._dtype).removeprefix("torch."),
        }
        if self._on_gpu:
            board = torch.cuda.get_device_properties()
            self.facts |= {
                "device": board.name,
                "device_uuid": str(board.uuid),
                "cuda": str(torch.version.cuda),
            }
            torch.zeros(1, device=device)  # a context, from here on

    def recover(self) -> bool:
        """Give back what the kernel that failed had taken."""
        if self._on_gpu:
            torch.cuda.empty_cache()
        return True

    def run(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Run one kernel until its window is long enough."""
        drawn = Operands(
            device=self._device,
            dtype=self._dtype,
            generator=torch.Generator(self._device).manual_seed(420),
            zeros=order["data"] == "zeros",
            compiled=order["compiled"],
            fp8=order["precision"] == "fp8",
        )
        with torch.inference_mode():
            kernel = getattr(self, f"_{order['kind']}")(drawn, **order["sizes"])
            return self._window(kernel, order)

    def _window(self, kernel: Kernel, order: Mapping[str, Any]) -> dict[str, Any]:
        count = self._of_a_burst(kernel)
        self._until(kernel, count, order["duty"], time.monotonic() + order["warm_up_s"])
        start_s = time.monotonic()
        passes = self._until(kernel, count, order["duty"], start_s + order["min_window_s"])
        return {
            "start_s": start_s,
            "end_s": time.monotonic(),
            "passes": passes,
            "requests": 0,
            "input_tokens": 0,
            "output_tokens": 0,
            "max_concurrency": None,
            "remarks": [],
        }

    def _until(self, kernel: Kernel, count: int, duty: float, end_s: float) -> int:
        """Run bursts, with pauses where the duty is below 1, and return how many kernels ran."""
        passes = 0
        while not passes or time.monotonic() < end_s:
            begin_s = time.monotonic()
            self._burst(kernel, count)
            passes += count
            if duty < 1:
                time.sleep((time.monotonic() - begin_s) * (1 / duty - 1))
        return passes

    def _burst(self, kernel: Kernel, count: int) -> None:
        for _ in range(count):
            kernel()
        if self._on_gpu:
            torch.cuda.synchronize()

    def _of_a_burst(self, kernel: Kernel) -> int:
        """Return how many kernels take BURST_S, after the first, which loads what there is to."""
        self._burst(kernel, 1)
        count = 1
        while True:
            begin_s = time.monotonic()
            self._burst(kernel, count)
            took_s = time.monotonic() - begin_s
            if took_s >= BURST_S / 2:
                return max(1, round(count * BURST_S / took_s))
            count *= 2

    def _wait(self, drawn: Operands) -> Kernel:
        return lambda: time.sleep(BURST_S)

    def _tick(self, drawn: Operands) -> Kernel:
        nothing = drawn(1)

        def kernel() -> None:
            nothing.add_(1)
            time.sleep(TICK_S)

        return kernel

    def _copy(self, drawn: Operands, elements: int) -> Kernel:
        a, b = drawn(elements), drawn(elements)
        return lambda: b.copy_(a)

    def _read(self, drawn: Operands, elements: int) -> Kernel:
        a = drawn(elements)
        kernel: Kernel = a.amax
        return kernel

    def _gemm(self, drawn: Operands, m: int, n: int, k: int) -> Kernel:
        x, out = drawn(m, k), drawn(m, n)
        turns = max(1, PAST_CACHES_BYTES // (n * k * x.element_size()))
        weights = cycle([drawn(k, n) for _ in range(turns if self._on_gpu else 1)])
        return lambda: torch.mm(x, next(weights), out=out)

    def _attention(
        self,
        drawn: Operands,
        batch: int,
        heads: int,
        kv_heads: int,
        head_size: int,
        tokens: int,
    ) -> Kernel:
        if drawn.fp8:
            return _fp8_attention(drawn, batch, heads, kv_heads, head_size, tokens)
        q = drawn(batch, heads, 1, head_size)
        k, v = (drawn(batch, kv_heads, tokens, head_size) for _ in range(2))
        shared = heads != kv_heads
        return lambda: functional.scaled_dot_product_attention(q, k, v, enable_gqa=shared)

    def _norm(self, drawn: Operands, rows: int, width: int) -> Kernel:
        """Gemma's, in kernels of its own: a cast to FP32, square, mean, two products, and back."""
        x, weight = drawn(rows, width), drawn(width).float()
        norm = drawn.form(_gemma_norm)
        return lambda: norm(x, weight)

    def _stack(self, drawn: Operands, layers: int, batch: int, width: int, **sizes: int) -> Kernel:
        """One decode step of layers of a Llama's shape, without its embedding and its head."""
        x = drawn(batch, width)
        weights = [_layer_weights(drawn, batch, width, **sizes) for _ in range(layers)]
        layer = drawn.form(_layer)

        def step() -> torch.Tensor:
            y = x
            for each in weights:
                y = layer(y, *each)
            return y

        return self._graph(step) if drawn.compiled and self._on_gpu else step

    def _graph(self, step: Kernel) -> Kernel:
        """Return what replays a step as one CUDA graph."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):  # what is compiled or chosen at first is not captured
                step()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        replay: Kernel = graph.replay
        return replay


def _gemma_norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    wide = x.float()
    scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
    return (scaled * (1.0 + weight)).to(x.dtype)


def _fp8_attention(
    drawn: Operands, batch: int, heads: int, kv_heads: int, head_size: int, tokens: int
) -> Kernel:
    """Decode attention that reads an FP8 cache; PyTorch's own kernels take none."""
    q = drawn(batch, kv_heads, heads // kv_heads, 1, head_size)
    k, v = (drawn(batch, kv_heads, 1, tokens, head_size).to(torch.float8_e4m3fn) for _ in range(2))

    def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        scores = (q.float() * k.float()).sum(-1, keepdim=True) * head_size**-0.5
        return (scores.softmax(dim=-2) * v.float()).sum(-2).to(q.dtype)

    form = drawn.form(attention)
    return lambda: form(q, k, v)


def _layer_weights(
    drawn: Operands, batch: int, width: int, heads: int, kv_heads: int, head_size: int, **more: int
) -> tuple[torch.Tensor, ...]:
    """Return norms, weights and the KV cache of a layer, in the order of `_layer`."""
    own, shared, inner = heads * head_size, kv_heads * head_size, more["inner"]
    cache = (batch, kv_heads, more["tokens"], head_size)
    return (
        *(drawn(width), drawn(width)),
        *(drawn(width, own + 2 * shared), drawn(own, width)),
        *(drawn(width, 2 * inner), drawn(inner, width)),
        *(drawn(*cache), drawn(*cache)),
    )


def _layer(
    x: torch.Tensor,
    norm: torch.Tensor,
    norm_inner: torch.Tensor,
    qkv: torch.Tensor,
    out: torch.Tensor,
    gate_up: torch.Tensor,
    down: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
) -> torch.Tensor:
    batch, kv_heads, _, size = k.shape
    q, new_k, new_v = (_rms(x, norm) @ qkv).split(
        [out.shape[0], kv_heads * size, kv_heads * size], dim=-1
    )
    k[:, :, -1] = new_k.view(batch, kv_heads, size)
    v[:, :, -1] = new_v.view(batch, kv_heads, size)
    seen = functional.scaled_dot_product_attention(
        q.view(batch, -1, 1, size), k, v, enable_gqa=True
    )
    x = x + seen.reshape(batch, -1) @ out
    gate, up = (_rms(x, norm_inner) @ gate_up).chunk(2, dim=-1)
    return x + (functional.silu(gate) * up) @ down


def _rms(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return functional.rms_norm(x, (x.shape[-1],), weight, 1e-5)

"""Kernels one at a time, as a worker: copies, matrix products, attention, and waiting.

Order "load": device "cuda" or "cpu".
Order "run": kind, sizes, data, duty, warm_up_s, min_window_s. The kernel runs back to back, or for
`duty` of the time in bursts, until the window is long enough; "passes" of the answer counts it.
"""

import platform
import time
from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any

import torch
from torch.nn import functional

BURST_S = 0.01  # kernels are queued for about this long, then waited for
PAST_CACHES_BYTES = 2**28  # weights take turns: none is still in a cache when it is read again
TICK_S = 1e-3  # between kernels of nothing that keep clocks up

Kernel = Callable[[], object]


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
        generator = torch.Generator(self._device).manual_seed(420)

        def drawn(*shape: int) -> torch.Tensor:
            tensor = torch.zeros(shape, device=self._device, dtype=self._dtype)
            if order["data"] == "normal":
                tensor.normal_(std=0.02, generator=generator)
            return tensor

        kernel = getattr(self, f"_{order['kind']}")(drawn, **order["sizes"])
        with torch.inference_mode():
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

    def _wait(self, drawn: Callable[..., torch.Tensor]) -> Kernel:
        return lambda: time.sleep(BURST_S)

    def _tick(self, drawn: Callable[..., torch.Tensor]) -> Kernel:
        nothing = drawn(1)

        def kernel() -> None:
            nothing.add_(1)
            time.sleep(TICK_S)

        return kernel

    def _copy(self, drawn: Callable[..., torch.Tensor], elements: int) -> Kernel:
        a, b = drawn(elements), drawn(elements)
        return lambda: b.copy_(a)

    def _read(self, drawn: Callable[..., torch.Tensor], elements: int) -> Kernel:
        a = drawn(elements)
        kernel: Kernel = a.amax
        return kernel

    def _gemm(self, drawn: Callable[..., torch.Tensor], m: int, n: int, k: int) -> Kernel:
        x, out = drawn(m, k), drawn(m, n)
        turns = max(1, PAST_CACHES_BYTES // (n * k * x.element_size()))
        weights = cycle([drawn(k, n) for _ in range(turns if self._on_gpu else 1)])
        return lambda: torch.mm(x, next(weights), out=out)

    def _attention(
        self,
        drawn: Callable[..., torch.Tensor],
        batch: int,
        heads: int,
        kv_heads: int,
        head_size: int,
        tokens: int,
    ) -> Kernel:
        q = drawn(batch, heads, 1, head_size)
        k, v = (drawn(batch, kv_heads, tokens, head_size) for _ in range(2))
        shared = heads != kv_heads
        return lambda: functional.scaled_dot_product_attention(q, k, v, enable_gqa=shared)

    def _norm(self, drawn: Callable[..., torch.Tensor], rows: int, width: int) -> Kernel:
        """Gemma's, in kernels of its own: a cast to FP32, square, mean, two products, and back."""
        x, weight = drawn(rows, width), drawn(width).float()

        def kernel() -> torch.Tensor:
            wide = x.float()
            scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
            return (scaled * (1.0 + weight)).to(x.dtype)

        return kernel

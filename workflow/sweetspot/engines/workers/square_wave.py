"""A square wave of load: matrix products for a while, then nothing, again and again.

A program of its own, run by the Python that has torch:

    square_wave.py --wave 3 3 4 --wave 0.5 0.5 10     (s on, s off, how often)

Every line that it prints is JSON. Times are on the monotonic clock, which all processes of a host
share: load begins at "on" and has ended at "off".
"""

import argparse
import json
import time
from collections.abc import Callable

WARM_UP_S = 1.0
BURST_S = 0.01  # products are queued for about this long, then waited for: an edge is as sharp


def main() -> None:
    """Print the device, then each edge of each wave."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--wave", nargs=3, action="append", type=float, required=True)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--size", type=int, default=8192, help="rows and columns of the matrices")
    arguments = parser.parse_args()

    import torch

    device = arguments.device
    on_gpu = device == "cuda"
    if on_gpu and not torch.cuda.is_available():
        raise SystemExit("error: torch sees no GPU")
    say(device=torch.cuda.get_device_name() if on_gpu else device, torch=torch.__version__)
    shape = (arguments.size, arguments.size)
    dtype = torch.bfloat16 if on_gpu else torch.float32
    # drawn at random: products of zeros take less power
    a, b = (torch.randn(shape, device=device, dtype=dtype) for _ in range(2))
    c = torch.empty_like(a)

    def burst(products: int) -> None:
        for _ in range(products):
            torch.mm(a, b, out=c)
        if on_gpu:
            torch.cuda.synchronize()

    products = products_of_a_burst(burst)
    for number, (on_s, off_s, cycles) in enumerate(arguments.wave):
        time.sleep(off_s)
        for _ in range(int(cycles)):
            start_s = time.monotonic()
            while time.monotonic() < start_s + on_s:
                burst(products)
            end_s = time.monotonic()
            say(wave=number, on=start_s, off=end_s)
            time.sleep(max(0.0, start_s + on_s + off_s - time.monotonic()))


def products_of_a_burst(burst: Callable[[int], None]) -> int:
    """Return how many products take BURST_S, after a warm-up."""
    count, end_s = 0, time.monotonic() + WARM_UP_S
    burst(1)  # compiles or loads what there is to load
    start_s = time.monotonic()
    while time.monotonic() < end_s or not count:
        burst(1)
        count += 1
    return max(1, round(BURST_S * count / (time.monotonic() - start_s)))


def say(**fields: object) -> None:
    """Print one line at once."""
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main()

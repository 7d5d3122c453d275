"""trtllm-bench, with the exact times of its measured requests written to a file.

A program of its own, run by the Python that has TensorRT-LLM:

    trtllm_bench_window.py --stamps FILE --min-window-s S [--request-json FILE] -- ARGUMENTS

ARGUMENTS are those of `trtllm-bench`, with --warmup among them. Its measured pass, the one after
the warm-up, is repeated back to back until it has lasted S seconds; it runs once if S is 0. Its
report covers the last one. FILE gets when each began and ended, on the monotonic clock in ns, and
what it did:

    {"passes": [{"start_ns": ..., "end_ns": ..., "requests": ..., "input_tokens": ...,
                 "output_tokens": ...}, ...]}

Where TensorRT-LLM has changed, or cannot be imported by this Python, this says so on stderr and
runs `trtllm-bench` as it is, with --request_json if that was named here; there is no FILE then.

Source: tensorrt_llm/bench/benchmark/{throughput,utils/asynchronous}.py and
bench/dataclasses/{reporting,statistics}.py, 0.20.0 to 1.2.x.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

Pass = dict[str, int]
AsyncBenchmark = Callable[..., Awaitable[Any]]


def main(arguments: Sequence[str]) -> None:
    """Run trtllm-bench, if possible in this process."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--stamps", type=Path, required=True)
    parser.add_argument("--min-window-s", type=float, required=True)
    parser.add_argument("--request-json", type=Path)
    own, bench = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    options = parser.parse_args(own)
    warmed_up = bench[bench.index("--warmup") + 1] != "0"
    more = ["--request_json", str(options.request_json)] if options.request_json else []
    try:
        command = importlib.import_module("tensorrt_llm.commands.bench").main
    except Exception as error:  # whatever it is, trtllm-bench may have a Python of its own
        say_inexact(error)
        become_trtllm_bench([*bench, *more])
    let_reports_bear_uuids()
    try:
        throughput: Any = importlib.import_module("tensorrt_llm.bench.benchmark.throughput")
        throughput.async_benchmark = Stamped(
            throughput.async_benchmark,
            calls_before=1 if warmed_up else 0,
            min_window_s=options.min_window_s,
            path=options.stamps,
        )
        end_passes_at_once()
        more = []
    except (ImportError, AttributeError) as error:
        say_inexact(error)
    sys.argv = ["trtllm-bench", *bench, *more]
    command()


def say_inexact(error: Exception) -> None:
    """Leave the reason in the log."""
    print(f"no exact window, as {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def become_trtllm_bench(arguments: Sequence[str]) -> NoReturn:
    """Run the program instead of this one."""
    number = number_of_gpu(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    if number is not None:  # as 1.2 wants it for its report
        os.environ |= {"CUDA_VISIBLE_DEVICES": number, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    try:
        os.execvp("trtllm-bench", ["trtllm-bench", *arguments])  # noqa: S606
    except OSError as error:
        sys.exit(
            f"error: {sys.executable} cannot import TensorRT-LLM, and trtllm-bench cannot be"
            f" started: {error.strerror}"
        )


def number_of_gpu(uuid: str) -> str | None:
    """Return the number of a GPU in the order of its bus; None where nvidia-smi knows no such."""
    query = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()
        return str(listed.index(uuid))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


class Stamped:
    """async_benchmark, with its measured call stamped and repeated."""

    def __init__(
        self, original: AsyncBenchmark, *, calls_before: int, min_window_s: float, path: Path
    ) -> None:
        """Stamp the call of `original` after `calls_before` others."""
        self.original, self.calls_before = original, calls_before
        self.min_window_s, self.path = min_window_s, path

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the statistics of the last pass."""
        self.calls_before -= 1
        if self.calls_before >= 0:
            return await self.original(*args, **kwargs)
        passes: list[Pass] = []
        while True:
            began_ns = time.monotonic_ns()
            statistics = await self.original(*args, **kwargs)
            stamps = stamped(statistics, began_ns, time.monotonic_ns())
            if stamps is None:
                return statistics
            passes.append(stamps)
            if stamps["end_ns"] - passes[0]["start_ns"] >= self.min_window_s * 1e9:
                break
        write_json(self.path, {"passes": passes})
        return statistics


def stamped(statistics: Any, began_ns: int, ended_ns: int) -> Pass | None:
    """Return when the requests of a pass were sent and answered, and what they were.

    None if the statistics do not say, or say what cannot be: their clock, perf_counter, must be
    the monotonic one, as it is on Linux.
    """
    try:
        records = list(statistics.requests.values())
        start_ns = min(record.start_timestamp for record in records)
        end_ns = max(record.end_timestamp for record in records)
        if not began_ns <= start_ns < end_ns <= ended_ns:
            raise ValueError(f"requests of {start_ns} to {end_ns} ns in {began_ns} to {ended_ns}")
        return {
            "start_ns": start_ns,
            "end_ns": end_ns,
            "requests": len(records),
            "input_tokens": sum(record.num_input_tokens for record in records),
            "output_tokens": sum(len(record.tokens) for record in records),
        }
    except (AttributeError, TypeError, ValueError) as error:
        say_inexact(error)
        return None


def end_passes_at_once() -> None:
    """Have a pass end with its last response, where it waits for 1 s of silence after it.

    Up to 1.0 a request counts as busy until its task is forgotten, a moment after it is done; that
    moment decides whether the loop waits once more. A window of many passes would be full of such
    waits. This is how later versions have it.
    """
    try:
        manager = importlib.import_module(
            "tensorrt_llm.bench.benchmark.utils.asynchronous"
        ).LlmManager
        before = manager.busy.fget
    except (ImportError, AttributeError):  # the gaps between passes are then seen in the stamps
        return

    def busy(self: Any) -> Any:
        try:
            return not self._inbox.empty() or any(not task.done() for task in self._tasks)
        except AttributeError:
            return before(self)

    manager.busy = property(busy)


def let_reports_bear_uuids() -> None:
    """Have 1.2 write its report where CUDA_VISIBLE_DEVICES names a GPU by its UUID.

    It reads the variable as a number, to tell the name of the GPU.
    """
    try:
        report = importlib.import_module("tensorrt_llm.bench.dataclasses.reporting").ReportUtility
        query = report._query_gpu_info
    except (ImportError, AttributeError):  # 0.21 does not ask
        return

    def query_gpu_info() -> Any:
        try:
            return query()
        except ValueError:
            return None

    report._query_gpu_info = staticmethod(query_gpu_info)


def write_json(path: Path, content: Any) -> None:
    """Write a whole file or none; process ids may be the same in several containers."""
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    temporary.write_text(json.dumps(content))
    temporary.replace(path)


if __name__ == "__main__":
    main(sys.argv[1:])

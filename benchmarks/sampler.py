"""What the meter costs on a driver whose every field value takes some CPU time, as an H200's does.

    python benchmarks/sampler.py [MICROSECONDS] [SECONDS]

On an H200 six field values and PowerUsage took 4.2 ms a look, 600 us each. On a fake driver that
takes as much, this samples every 0.1 s, once with whole looks and once as cells are metered, and
prints readings and CPU time of both.
"""

import ctypes
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pynvml

from sweetspot.metering.nvml import Board
from sweetspot.metering.sampler import NvmlMeter

SOURCE = Path(__file__).absolute().parents[1] / "tests" / "fake_nvml" / "nvml.c"


def main() -> None:
    """Print both."""
    field_us = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "libnvidia-ml.so.1")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-lm"], check=True)
        board = f"origin=0 uuid=GPU-0 name=NVIDIA_H200 low=300 field_us={field_us}\n"
        Path(folder, "boards").write_text(board, encoding="utf-8")
        os.environ["FAKE_NVML"] = f"{folder}/boards"
        pynvml.nvmlLib = ctypes.CDLL(str(library))
        print(f"{field_us:g} us a field value; {seconds:g} s, a look every 0.1 s")
        for whole in (True, False):
            with Board("GPU-0") as opened:
                meter = NvmlMeter(opened, 0.1, whole=whole)
                meter.start()
                time.sleep(seconds)
                readings = meter.stop()
                samples, share = readings.samples, readings.sampler_cpu_share
                if samples is None or share is None:
                    raise SystemExit("the meter has no samples")
                looks = samples.t_s.size
                fields = sum(opened.field_reads.values())
                print(
                    f"  {'whole looks' if whole else 'as cells are metered':<22}{looks} looks,"
                    f" {fields / looks:.1f} field values a look, {share:.2%} of a core,"
                    f" {1e3 * share * seconds / looks:.2f} ms a look"
                )


if __name__ == "__main__":
    main()

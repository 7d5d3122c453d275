"""How much of a campaign's time lies inside measured windows, with real waits on a fake board.

    python benchmarks/slot.py [SCALE]

The engine sleeps as long as the simulator says that vLLM on an H100 takes, SCALE times less (20);
its loads, warm-ups and ends are those seen on an H200. Loads, records, traces and the sampler are
real, so what this program takes itself is SCALE times too large.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
PROGRAM = ROOT / "tests" / "support" / "sleeping_campaign.py"
CASES = ((25, ["llama-3.2-1b", "llama-3.1-8b"]), (60, ["llama-3.2-1b"]))
AIMS = (0.75, 0.9)
BOARD = "origin=0 uuid=GPU-0 name=NVIDIA_H100_80GB_HBM3 low=300\n"


def main() -> None:
    """Run both cases, and print where their time went, in the minutes before scaling."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "libnvidia-ml.so.1")
        source = ROOT / "tests" / "fake_nvml" / "nvml.c"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-lm"], check=True)
        Path(folder, "boards").write_text(BOARD, encoding="utf-8")
        fake = {
            "LD_LIBRARY_PATH": folder,
            "FAKE_NVML": f"{folder}/boards",
            "SWEETSPOT_LOCKS": folder,
        }
        for (minutes, models), aim in zip(CASES, AIMS, strict=True):
            out = Path(folder, f"campaign-{minutes}")
            command = [sys.executable, str(PROGRAM), str(out), str(minutes), str(scale), *models]
            done = subprocess.run(
                command, env=os.environ | fake, capture_output=True, text=True, check=True
            )
            time_s = json.loads(done.stdout.splitlines()[-1])
            elapsed_s = time_s.pop("elapsed")
            time_s["rest"] = elapsed_s - sum(time_s.values())
            print(f"{minutes} minutes, {' and '.join(models)}: {scale * elapsed_s / 60:.2f} min")
            for what, seconds in time_s.items():
                print(f"  {what:<10}{scale * seconds / 60:>7.2f} min {seconds / elapsed_s:>7.1%}")
            kept = elapsed_s * scale / minutes / 60 - 1
            print(f"  aim: {aim:.0%} in windows; box kept to {kept:+.1%}")


if __name__ == "__main__":
    main()

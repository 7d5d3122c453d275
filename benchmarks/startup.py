"""What a question costs from the shell: the shortest of some runs, beside Python's bare start.

    python benchmarks/startup.py [runs]

Wall time is what one waits; CPU time is the same on a machine that does nothing else, and what to
compare where others work on it. Bytecode is there, as from the second run on.
"""

import subprocess
import sys
from resource import RUSAGE_CHILDREN, getrusage
from time import perf_counter

RUNS = 20
SERVED = ["--model", "llama-3.1-8b", "--gpu", "h100-sxm"]
LENGTHS = ["--input-tokens", "512", "--output-tokens", "256"]
COMMANDS = {
    "numpy alone": ["-c", "import numpy"],
    "sweetspot --help": ["-m", "sweetspot", "--help"],
    "sweetspot models": ["-m", "sweetspot", "models"],
    "sweetspot predict": ["-m", "sweetspot", "predict", *SERVED, *LENGTHS],
    "sweetspot simulate": [
        *("-m", "sweetspot", "simulate", *SERVED, *LENGTHS),
        *("--requests", "100", "--rate", "10"),
    ],
    "sweetspot plan": ["-m", "sweetspot", "plan", "config.yaml"],
}


def once_s(arguments: list[str]) -> tuple[float, float]:
    """Return the wall and the CPU time of a process of Python, in s."""
    before, start_s = getrusage(RUSAGE_CHILDREN), perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    wall_s, after = perf_counter() - start_s, getrusage(RUSAGE_CHILDREN)
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print a row for each command; the first argument is how often each is run."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    commands = {"Python alone": ["-c", "pass"], **COMMANDS}
    for arguments in commands.values():
        once_s(arguments)  # writes the bytecode
    # one after the other, so that what else the machine does is shared by all
    times = [{name: once_s(arguments) for name, arguments in commands.items()} for _ in range(runs)]
    print(f"shortest of {runs} runs, s")
    print(f"{'':<20}{'wall':>8}{'CPU':>8}{'CPU beside Python':>20}")
    bare_s = min(each["Python alone"][1] for each in times)
    for name in commands:
        wall_s, cpu_s = (min(each[name][i] for each in times) for i in (0, 1))
        print(f"{name:<20}{wall_s:>8.3f}{cpu_s:>8.3f}{cpu_s - bare_s:>20.3f}")


if __name__ == "__main__":
    main()

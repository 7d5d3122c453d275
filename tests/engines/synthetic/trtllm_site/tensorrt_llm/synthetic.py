"""What the synthetic programs share: their faults and their log."""

import os
import pathlib
import signal
import subprocess
import sys
import time

RUN_S = float(os.environ.get("RUN_S", "0.1"))
HANG_S = float(os.environ.get("HANG_S", "60"))


def fault(where):
    """Return what goes wrong with a command or data set; "" if nothing."""
    name, _, place = os.environ.get("FAULT", "").partition("@")
    return name if place in ("", where) else ""


def log(text):
    print("[11/23/2026-12:00:00] [TRT-LLM] [I] " + text)  # not flushed: the caller must see to it


def note(what):
    """Write to the file in $NOTES, where there is one, when this happened."""
    if place := os.environ.get("NOTES"):
        with pathlib.Path(place).open("a") as file:
            print(what, time.monotonic(), file=file)


def fail(name):
    """Go wrong in the ways that end a program, whichever it is."""
    if name == "exit":
        log("Setting up throughput benchmark.")
        sys.exit("RuntimeError: engine and GPU do not match")
    if name == "out of memory":
        log("Setting up throughput benchmark.")
        print("[TensorRT-LLM][ERROR] CUDA runtime error in cudaMallocAsync: out of memory")
        for frame in range(60):
            print(f"{frame} 0x7f5fe68e4f08 libtensorrt_llm.so(+0x91f08) [0x7f5fe68e4f08]")
        sys.exit("RuntimeError: Executor worker returned error")
    if name == "tell all":
        print(os.environ)
        sys.exit(f"error: {os.environ.get('HF_TOKEN')} {os.environ.get('http_proxy')}")
    if name == "die":
        log("Setting up for warmup...")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "flood":
        for _ in range(40):
            print("x" * 1_000_000)
    if name == "meet":  # go on when another one is here, too: $WORKER is a folder
        place = pathlib.Path(os.environ["WORKER"])
        (place / str(os.getpid())).touch()
        end_s = time.monotonic() + HANG_S
        while len(list(place.iterdir())) < 2 and time.monotonic() < end_s:
            time.sleep(0.01)
    if name == "hang":
        worker = subprocess.Popen(
            [sys.executable, "-c", f"import time; time.sleep({HANG_S})"], start_new_session=True
        )
        pathlib.Path(os.environ["WORKER"]).write_text(str(worker.pid))
        log("Setting up for warmup...")
        time.sleep(HANG_S)

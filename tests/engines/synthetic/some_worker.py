"""A synthetic engine in a worker: it sleeps for its requests, and its orders say what goes wrong.

"faults" in the order to load maps "load", or a cell's data set such as "n4_i16_o8", to a fault.
"""

import os
import time
from pathlib import Path

from worker_cell import measured, read_prompts

SECONDS = 0.06


def load(order):
    with Path(order["loads"]).open("a") as count:
        count.write("x")
    fail(order["faults"].get("load"))
    return Model(order)


def fail(fault):
    if fault == "exit":
        os._exit(3)
    if fault == "hang":
        time.sleep(60)
    if fault == "memory":
        raise MemoryError("9 GiB")
    if fault == "error":
        raise RuntimeError("no kernel for this GPU")
    if fault == "import":
        raise ImportError("no torch here")


class Model:
    def __init__(self, order):
        self.faults = order["faults"]
        self.facts = {
            "device": order.get("device", "NVIDIA H100 80GB HBM3"),
            "device_uuid": os.environ["CUDA_VISIBLE_DEVICES"][len("GPU-") :],
            "worker": str(os.getpid()),
        }

    def run(self, order):
        fault = self.faults.get(Path(order["dataset"]).stem)
        fail(fault)
        prompts, remarks = read_prompts(order, vocabulary=100)

        def one_pass():
            time.sleep(SECONDS)
            answered = prompts[:-1] if fault == "drop" else prompts
            return [order["output_tokens"] - (fault == "short") for _ in answered]

        return {**measured(one_pass, order), "max_concurrency": 3, "remarks": remarks}

    def recover(self):
        return "again" not in self.faults

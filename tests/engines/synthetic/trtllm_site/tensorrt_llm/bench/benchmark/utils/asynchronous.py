"""Sends all requests and gathers the answers; up to 1.0, a pass ends a while after its last answer.

There, a request counts as busy until its task is forgotten, which is a moment after its answer was
taken; the loop then waits once more for an answer, in vain: for 1 s, here for $TAIL_S.
"""

import asyncio
import os
import time
from contextlib import suppress

from tensorrt_llm import OLD
from tensorrt_llm.bench.dataclasses.reporting import RequestRecord, StatsKeeper
from tensorrt_llm.synthetic import fault, log

WAIT_S = float(os.environ.get("TAIL_S", "0.2"))
MOMENT_S = 0.01


class LlmManager:
    def __init__(self, llm, outbox):
        self.llm, self._outbox = llm, outbox
        self._inbox = asyncio.Queue()
        self._tasks = set()

    @property
    def busy(self):
        if OLD:
            return bool(self._tasks)
        return not self._inbox.empty() or any(not task.done() for task in self._tasks)

    async def work(self):
        while True:
            task = asyncio.create_task(self.process(*await self._inbox.get()))
            self._tasks.add(task)
            task.add_done_callback(self.forget)

    def forget(self, task):
        asyncio.get_running_loop().call_later(MOMENT_S, self._tasks.discard, task)

    async def process(self, request, sampling):
        clock = time.time_ns if fault("clock") == "other clock" else time.perf_counter_ns
        start_ns = clock()
        sampling.max_tokens = request["output_tokens"]
        answer = await self.llm.generate_async(request["input_ids"], sampling)
        tokens = answer.outputs[0].token_ids
        record = RequestRecord(answer.id, len(answer.prompt_token_ids), tokens, start_ns, clock())
        await self._outbox.put(record)


async def async_benchmark(
    llm, sampling_params, post_proc_params, requests, streaming, concurrency=-1
):
    outbox = asyncio.Queue()
    statistics = StatsKeeper()
    log("Starting benchmarking async task.")
    manager = LlmManager(llm, outbox)
    worker = asyncio.create_task(manager.work())
    for request in requests:
        await manager._inbox.put((request, sampling_params))
    if fault("throughput") != "no start line":
        log("Starting benchmark...")
    log(f"Request submission complete. [count={len(requests)}]")
    while manager.busy or not outbox.empty() or not manager._inbox.empty():
        with suppress(TimeoutError):
            statistics.add(await asyncio.wait_for(outbox.get(), WAIT_S))
    if fault("loop") == "other loop":
        await asyncio.sleep(WAIT_S)
    log("Benchmark complete.")
    worker.cancel()
    log("LLM Backend stopped.")
    return statistics

"""The simulated engine: same sessions, same meter, on a virtual clock."""

import hashlib
from pathlib import Path

import numpy as np

from sweetspot import __version__
from sweetspot.cells.cell import Cell
from sweetspot.config import Noise
from sweetspot.engines.base import Run
from sweetspot.engines.weights.weights import quantized_remarks
from sweetspot.errors import EngineError, MeterError
from sweetspot.metering.meter import Observe, Readings
from sweetspot.metering.trace import PowerTrace
from sweetspot.plan.block import Settings
from sweetspot.simulator.run import simulate_benchmark


class VirtualMeter:
    """Hands out the power trace that the simulated run has drawn."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._last: PowerTrace | None = None

    def start(self, spool: Path | None = None, observe: Observe | None = None) -> None:
        """Forget the last run; a simulated trace needs no spool, and nobody sees it grow."""
        self._last = None

    def record(self, trace: PowerTrace) -> None:
        """Take over the trace of a run; called by the session."""
        self._last = trace

    def stop(self) -> Readings:
        """Return the trace of the run since start.

        Raises:
            MeterError: nothing ran in between.
        """
        if self._last is None:
            raise MeterError("nothing was simulated between start and stop of the meter")
        return Readings(trace=self._last)


class SimulatorSession:
    """One model on one GPU or shared by several, as the simulator sees them."""

    def __init__(self, settings: Settings) -> None:
        """Begin with nothing run.

        Raises:
            InputError: the deployment cannot be.
        """
        if settings.calibration is None:
            raise EngineError("the simulator needs a calibration; plan the block with one")
        self.meter = VirtualMeter()
        self._deployment = settings.deployment
        self._max_clock_mhz = settings.gpu.max_clock_mhz
        self._noise = settings.noise
        self._remarks = quantized_remarks(settings.model)

    def run(self, cell: Cell) -> Run:
        """Simulate a cell; its clock starts at 0 s with the first request."""
        simulation = simulate_benchmark(
            self._deployment,
            requests=cell.requests,
            input_tokens=cell.input_tokens,
            output_tokens=cell.output_tokens,
        )
        trace = simulation.trace
        if self._noise:
            power_w = trace.power_w * noise_factor(self._noise, cell)
            trace = PowerTrace(t_s=trace.t_s, power_w=power_w)
        self.meter.record(trace)
        return Run(
            start_s=0.0,
            end_s=simulation.duration_s,
            requests=cell.requests,
            input_tokens=cell.requests * cell.input_tokens,
            output_tokens=simulation.output_tokens,
            max_concurrency=simulation.max_concurrency,
            mean_sm_mhz=simulation.clock_share * self._max_clock_mhz or None,
            remarks=self._remarks,
        )

    def close(self) -> None:
        """Nothing to free."""


class SimulatorEngine:
    """TensorRT-LLM's in-flight batching on a roofline model of the GPU."""

    name = "simulator"
    version = __version__
    simulated = True

    def load(self, settings: Settings) -> SimulatorSession:
        """Return a session for a model on a GPU."""
        return SimulatorSession(settings)


def noise_factor(noise: Noise, cell: Cell) -> float:
    """Return what a cell's power is multiplied by: the same whenever, and with whatever, it runs.

    Log-normal with median 1, so that noise moves no energy below zero and the relative errors, by
    their logarithm, are those that a fit with relative weights supposes.
    """
    drawn = hashlib.sha256(f"{noise.seed} {cell.id}".encode()).digest()
    normal = np.random.default_rng(int.from_bytes(drawn)).standard_normal()
    return float(np.exp(np.sqrt(np.log1p(noise.deviation**2)) * normal))

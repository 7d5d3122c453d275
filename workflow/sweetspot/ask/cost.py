"""What a day of a server costs: a log of its requests, in J, kWh, money and gCO2e, hour by hour."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sweetspot.ask.load import Scheduling, Simulated, simulate_deployed
from sweetspot.ask.log.doubts import doubts
from sweetspot.ask.log.longest import longest_served
from sweetspot.ask.log.read import RequestLog
from sweetspot.ask.rates import Rates, Row
from sweetspot.catalog import Architecture, load_model
from sweetspot.config import ChosenTraits, GpuSettings, Limits, Precision, Traits
from sweetspot.metering.samples import FloatArray
from sweetspot.simulator.deployment.deployment import asked_limits, deploy
from sweetspot.simulator.hours import Hour, Hours

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class Cost:
    """What a log of requests takes. All of it is simulated.

    Attributes:
        load: the simulated server: its energy, power, latencies and intervals.
        rates: what a kWh costs.
        notes: how the log was understood, and what of it was left out.
        hours: a row an hour, from that of the first arrival to that of the last token. `hour` is
            its beginning in UTC, or how many hours after the first arrival it begins where the log
            has no dates. Requests and input tokens are those that arrived in it; output tokens,
            energy, power and batch what was done in it. Energies are those of all boards in J, idle
            time included; `energy_kwh`, `cost` and `gco2e` are with PUE, and the last two are there
            where their rate is.
        total: the same of all hours.
        begins: when the first request came; None where the log has no dates.
        edges_s: (n + 1,) edges of up to 1024 stretches of time, in s after the first arrival.
        power_w: (n,) mean power of all boards in each.
        batch: (n,) mean number of requests in an iteration, 0 while none is in flight.
    """

    load: Simulated
    rates: Rates
    notes: tuple[str, ...]
    hours: tuple[Row, ...]
    total: Row
    begins: datetime | None
    edges_s: FloatArray
    power_w: FloatArray
    batch: FloatArray

    @cached_property
    def by_hour(self) -> "pd.DataFrame":
        """`hours` as a table."""
        import pandas as pd

        table = pd.DataFrame(self.hours)
        if isinstance(self.hours[0]["hour"], str):
            table["hour"] = pd.to_datetime(table["hour"], utc=True)
        return table

    @cached_property
    def in_all(self) -> "pd.DataFrame":
        """`total` as a table of one row."""
        import pandas as pd

        return pd.DataFrame([self.total])

    @cached_property
    def over_time(self) -> "pd.DataFrame":
        """Power and batch as a table: begin_s, end_s, mean_power_w, mean_batch."""
        import pandas as pd

        begin_s, end_s = self.edges_s[:-1], self.edges_s[1:]
        return pd.DataFrame(
            {
                "begin_s": begin_s,
                "end_s": end_s,
                "mean_power_w": self.power_w,
                "mean_batch": self.batch,
            }
        )


def cost(
    log: str | os.PathLike[str],
    model: str | os.PathLike[str] | Mapping[str, Any] | Architecture,
    gpu: str,
    *,
    price_per_kwh: float | None = None,
    gco2_per_kwh: float | None = None,
    pue: float | None = None,
    columns: Mapping[str, str] | None = None,
    engine: str | None = None,
    gpu_settings: GpuSettings | None = None,
    limits: Limits | None = None,
    precision: Precision | None = None,
    traits: ChosenTraits | Traits | None = None,
    scheduling: Scheduling | None = None,
    chunked_prefill: bool = True,
    prefix_cache: bool = False,
    calibration: str | os.PathLike[str] | None = None,
    progress: Callable[[int, float | None], None] | None = None,
) -> Cost:
    """Simulate a server that gets the requests of a log, and say what that costs.

    Args:
        log: CSV with a header or JSON lines, in the columns of Azure's, BurstGPT's or Mooncake's
            traces, of the OpenAI interface, or others that say what they are; `.gz` is unpacked.
        model: as of `simulate_load`.
        gpu: as of `simulate_load`.
        price_per_kwh: money; None for no cost.
        gco2_per_kwh: g of CO2 equivalents; None for no emissions.
        pue: energy of the site per energy of the boards; None for that of the boards alone.
        columns: the column of arrival_s (or _ms, _us, _ns), input_tokens or output_tokens, where
            its name does not say it.
        engine: as of `simulate_load`.
        gpu_settings: as of `simulate_load`.
        limits: as of `simulate_load`; requests beyond max_seq_len, or what the KV cache holds, are
            left out and counted.
        precision: as of `simulate_load`.
        traits: as of `simulate_load`.
        scheduling: as of `simulate_load`.
        chunked_prefill: as of `simulate_load`.
        prefix_cache: whether what a prompt has in common with earlier ones, by the log's hash_ids,
            or else its cached tokens, is not processed anew.
        calibration: as of `simulate_load`.
        progress: called now and then with how many requests have ended and how much of the log has
            been read, 0 to 1.

    Raises:
        InputError: the log is not understood, a rate makes no sense, or as of `simulate_load`.
    """
    rates = Rates(price_per_kwh=price_per_kwh, gco2_per_kwh=gco2_per_kwh, pue=pue)
    architecture = model if isinstance(model, Architecture) else load_model(model)
    deployment = deploy(
        architecture,
        gpu,
        gpu_settings=gpu_settings,
        limits=limits or asked_limits(architecture),
        precision=precision,
        engine=engine,
        traits=traits,
        calibration=calibration,
    )
    with RequestLog(
        log,
        max_seq_len=deployment.limits.max_seq_len,
        longest=longest_served(deployment, scheduling, chunked_prefill=chunked_prefill),
        columns=columns,
        prefix_cache=prefix_cache,
    ) as requests:
        begins = requests.begins
        first_hour = begins and begins.replace(minute=0, second=0, microsecond=0)
        hours = Hours((begins - first_hour).total_seconds() if begins and first_hour else 0.0)
        load = simulate_deployed(
            deployment,
            requests,
            scheduling=scheduling,
            chunked_prefill=chunked_prefill,
            prefix_cache=prefix_cache,
            hours=hours,
            progress=progress and (lambda ended: progress(ended, requests.share)),
        )
    factor = load.deployment.intervals.energy.factor
    rows = []
    for index, hour in enumerate(hours.each):
        begin: int | str = index
        if first_hour is not None:
            begin = (first_hour + timedelta(hours=index)).strftime("%Y-%m-%dT%H:%MZ")
        rows.append({"hour": begin, **_done(hour), **rates.of(hour.energy_j, factor)})
    edges_s, power_w = hours.power.stretches()
    return Cost(
        begins=begins,
        edges_s=edges_s,
        power_w=power_w,
        batch=hours.batch.stretches()[1],
        load=load,
        rates=rates,
        notes=(*requests.notes, *doubts(requests, load), *rates.doubts),
        hours=tuple(rows),
        total=_total(load, rates, factor),
    )


def _done(hour: Hour) -> Row:
    return {
        "requests": hour.requests,
        "input_tokens": hour.input_tokens,
        "output_tokens": round(hour.output_tokens),
        "mean_batch": hour.mean_batch,
        "mean_power_w": hour.mean_power_w,
        "idle_s": hour.idle_s,
        "idle_energy_j": hour.idle_energy_j,
    }


def _total(load: Simulated, rates: Rates, factor: float) -> Row:
    served = load.served
    names = (*("requests", "input_tokens", "output_tokens", "mean_batch", "mean_power_w"), "idle_s")
    total: Row = {name: getattr(served, name) for name in (*names, "idle_energy_j")}
    if load.prefix_cache:
        total |= {"cached_tokens": served.cached_tokens, "prefix_hit_rate": load.prefix_hit_rate}
    per: Row = {
        "energy_per_token_j": served.energy_per_token_j,
        "energy_per_request_j": served.energy_j / served.requests,
    }
    return {"duration_s": served.duration_s, **total, **rates.of(served.energy_j, factor), **per}

// What requests of a day take: J, kWh, money and CO2, by the user's own numbers.

const J_PER_KWH = 3.6e6;
const DAY_S = 86400;

/** What a user may say, with how a slider runs: by its logarithm, or evenly. */
const RATES = {
  requests: { title: "Requests a day", low: 100, high: 1e8, log: true, min: 1 },
  price: { title: "Price per kWh", low: 0, high: 1, step: 0.01, min: 0 },
  co2: { title: "Grid, g CO₂e per kWh", low: 0, high: 1000, step: 5, min: 0 },
  pue: {
    title: "PUE, energy of the site per energy of its boards",
    low: 1,
    high: 2,
    step: 0.01,
    min: 1,
  },
};

/**
 * Return what a request and a day take, as columns of a row.
 *
 * Boards that serve requests at once are busy for a share of the day; where they stay on, the rest
 * is idle. A grid at a rate has its idle time within.
 */
function dayOf(row, grid, state) {
  const { requests, price, co2, pue, idle } = state;
  const perRequest = row.energy_per_token_j * row.output_tokens;
  const day = {
    energy_per_request_j: perRequest,
    energy_per_request_low_j: perRequest / grid.energy_factor,
    energy_per_request_high_j: perRequest * grid.energy_factor,
  };
  if (!requests) return day;
  const busy = grid.load.rate
    ? requests / DAY_S / grid.load.rate
    : (requests * row.output_tokens) / row.throughput_tokens_per_s / DAY_S;
  const idleKwh = idle && !grid.load.rate ? idleOf(busy, grid) : 0;
  const kwh = (joules) => ((joules * requests) / J_PER_KWH + idleKwh) * (pue ?? 1);
  const ends = [perRequest, day.energy_per_request_low_j, day.energy_per_request_high_j].map(kwh);
  const priced = (name, perKwh) =>
    perKwh === null
      ? {}
      : Object.fromEntries(
          ["", "_low", "_high"].map((end, place) => [
            `${name}${end}_per_day`,
            ends[place] * perKwh,
          ]),
        );
  return {
    ...day,
    requests_per_day: requests,
    boards_busy: busy * grid.tensor_parallel,
    kwh_per_day: ends[0],
    kwh_low_per_day: ends[1],
    kwh_high_per_day: ends[2],
    kwh_idle_per_day: idleKwh * (pue ?? 1),
    ...priced("cost", price),
    ...priced("kgco2e", co2 === null ? null : co2 / 1000),
  };
}

/** Return the kWh that whole boards wait in a day, clocks up: 0 where that power is not known. */
function idleOf(busy, grid) {
  const activeW = GPUS.get(grid.gpu)?.active_power_w ?? 0;
  return ((Math.max(1, Math.ceil(busy)) - busy) * grid.tensor_parallel * activeW * 24) / 1000;
}

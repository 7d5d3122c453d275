"""What comes back of a store, compared: whole, with holes, moved, and without times of its own."""

import math
from dataclasses import replace

import pytest
from in_memory import InMemory

from sweetspot.telemetry.kept import read_folder
from sweetspot.telemetry.query import query
from sweetspot.telemetry.replay import replay
from sweetspot.telemetry.sample import COLUMNS, MS

T_S, POWER = COLUMNS.index("t_s"), COLUMNS.index("power_w")


@pytest.fixture
def stored(metered_run, memory):
    """Return what lies in a run's folder, and a store that has all of it."""
    folder = metered_run()
    found = read_folder(folder)
    replay(found, memory)
    return found, memory


def change(store, changed, every=1):
    """Replace the values of samples by what `changed` makes of them; those of None go."""
    for held in store.held.values():
        for at in list(held)[::every]:
            values = changed(list(held[at].values))
            if values is None:
                del held[at]
            else:
                held[at] = replace(held[at], values=tuple(values))


def without(column):
    return lambda values: [*values[:column], math.nan, *values[column + 1 :]]


def test_whole_samples_give_all_energies_to_the_bit(stored):
    rows = query(*stored)
    assert [row.differences for row in rows] == [(), ()]
    assert all(row.to_the_bit and row.energy_j == row.energy_kept_j for row in rows)
    assert [row.samples for row in rows] == [200, 200]
    assert not any(row.not_kept for row in rows)


@pytest.mark.parametrize("unit_ns", [MS, 1000])
def test_without_times_of_the_trace_energies_agree_within_rounding(stored, simulated_run, unit_ns):
    for found in (stored[0], read_folder(simulated_run)):
        store = InMemory(unit_ns)
        replay(found, store)
        change(store, without(T_S))
        rows = query(found, store)
        assert not any(row.differences for row in rows)
        assert not any(row.to_the_bit for row in rows)
        assert all(abs(row.energy_j - row.energy_kept_j) <= row.within_j for row in rows)
    assert any(row.energy_j != row.energy_kept_j for row in rows)


def test_samples_lost_on_a_plateau_are_found_by_their_count(stored):
    found, store = stored
    change(store, lambda _: None, every=10)
    for row in query(found, store):
        assert "20 of 200 samples are not there" in row.differences
        assert row.gap_s > 1.9 * row.gap_kept_s


def test_other_power_is_a_difference(stored):
    found, store = stored
    change(store, lambda values: [values[0], values[1] * (1 - 1e-12), *values[2:]])
    for row in query(found, store):
        assert "power_w is another in 200 samples" in row.differences
    instant = COLUMNS.index("power_instant_w")
    change(store, lambda values: [*values[:instant], values[1] * 1.001, *values[instant + 1 :]])
    for row in query(found, store):
        assert "energy_integration_j is" in row.differences[-1]
    change(store, lambda values: [math.nan, values[1] * 1.001, *values[2:]])
    assert all(" J, not " in row.differences[0] for row in query(found, store))


def test_look_whose_power_could_not_be_read_is_the_same_live_and_by_replay(metered_run, memory):
    folder = metered_run(cells=1, unread=(50, 120))
    found = read_folder(folder)
    replay(found, memory)
    (held,) = memory.held.values()
    instant = COLUMNS.index("power_instant_w")
    unread = [each for each in held.values() if math.isnan(each.values[instant])]
    assert [math.isnan(each.values[POWER]) for each in unread] == [True, True]
    (row,) = query(found, memory)
    assert (row.differences, row.to_the_bit) == ((), True)
    change(memory, without(T_S))
    (row,) = query(found, memory)
    assert (row.differences, row.to_the_bit) == ((), False)


def test_channel_that_is_lost_in_places_is_a_difference(stored):
    found, store = stored
    change(store, without(COLUMNS.index("counter_j")), every=10)
    for row in query(found, store):
        assert row.differences == ("counter_j is missing in 20 samples that have one",)


def test_store_that_keeps_power_alone_is_whole(stored):
    found, store = stored
    change(store, lambda values: [*values[:2], *[math.nan] * (len(values) - 2)])
    rows = query(found, store)
    assert not any(row.differences for row in rows)
    assert all(row.to_the_bit for row in rows)
    assert all("counter_j" in row.not_kept and "power_w" not in row.not_kept for row in rows)


def test_samples_of_others_are_a_difference(stored):
    found, store = stored
    for held in store.held.values():
        first = min(held)
        held[first + 1] = replace(held[first], at=first + 1)
    first, second = query(found, store)
    assert first.differences == ("1 samples are there that are none of the trace's",)
    assert not second.differences


def test_store_that_has_nothing_has_no_energy(stored):
    found, _ = stored
    for row in query(found, InMemory()):
        assert (row.samples, row.energy_j) == (0, None)
        assert row.differences[0] == "200 of 200 samples are not there"

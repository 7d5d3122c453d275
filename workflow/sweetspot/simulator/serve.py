"""A server's run: requests come when they come, and a scheduler and a clock take turns."""

from collections.abc import Callable

from sweetspot.simulator.schedule.segments import Clock, Scheduler
from sweetspot.simulator.served import Account, Served
from sweetspot.simulator.statistics import PowerGrid


def serve(
    scheduler: Scheduler,
    clock: Clock,
    *,
    power_grid: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Served:
    """Run a scheduler's requests to the end, one segment after the other, and add up.

    Args:
        scheduler: with its requests; it is used up.
        clock: what segments take.
        power_grid: whether to keep power over time, in up to 1024 stretches.
        progress: told how many requests have ended, after every segment in which some have.

    Raises:
        ValueError: there are no requests.
    """
    account = Account(PowerGrid() if power_grid else None)
    segment = scheduler.plan(0.0)
    if segment is None:
        raise ValueError("there are no requests")
    # The clock starts with the first request, also where times have another origin.
    start_s = now_s = 0.0 if segment.iterations else segment.wake_s
    while segment is not None:
        ran = clock.run(segment, now_s)
        account.add(segment, ran, now_s - start_s)
        # a wait ends at the arrival itself: adding up could miss it by a rounding
        now_s = now_s + ran.duration_s if ran.iterations else segment.wake_s
        ended = scheduler.advance(ran.iterations, now_s)
        if ended:
            account.finish(ended)
            if progress is not None:
                progress(account.requests)
        segment = scheduler.plan(now_s)
    return account.result(scheduler.pauses)

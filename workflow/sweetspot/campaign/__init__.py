"""As much of an experiment's grid as fits into some minutes, measured on this machine's GPU.

`whole.run_file` is one call: it probes the board (`probing`), then its parts have their `shares`
of the time. `run.run_campaign` is one part: it looks at the power sensor (sensor/), then `blocks`
gives each model its share of the `time_box`. In its `slot`, with one engine load, a block chooses
the N whose grid fits (`cost`) and measures its cells in the order of their information (`design`).
The `logbook` says where the next call goes on; `compact` is the small folder that is kept of all
that, and report/ is what people read of it.
"""

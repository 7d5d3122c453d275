"""The simulator: what a deployment does with requests, how long it takes, what power it draws.

A run is read in three steps, each a room that knows those before it:

    deployment   what runs: a model's share on each GPU, its memory, windows, CUDA graphs
    schedule     who runs when: batches of requests, step by step, without a clock
    cost         what a step takes: work -> roofline time -> power

`constants` are what cost is reckoned with, and the files that hold them. On top of the three stand

    run          N identical requests at once, as trtllm-bench sends them
    serve        any requests, as they arrive, with latencies
    sensor       what the paper's power sensor makes of a run's trace

and, to make constants and to say what they are worth,

    calibration  fits of the constants, to published numbers or to cells
    accuracy     tests of them, on what they were fitted to and on what was held out

There is nothing to import from here. Who only asks takes `sweetspot.predict` and
`sweetspot.simulate_load`, of `sweetspot.ask`; the rooms are for those who change what is simulated.
docs/simulator.md says which laws these are and where each comes from.
"""

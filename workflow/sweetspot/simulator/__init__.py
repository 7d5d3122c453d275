"""The simulator: what a deployment does with requests, how long it takes, what power it draws.

Four rooms, each of which knows those before it, are a step of a run:

    constants    what turns work into seconds and joules, and the files that hold it
    deployment   what is served, on what: shares of a model, memory, windows, CUDA graphs
    schedule     who runs when: batches of requests, step by step, without a clock of its own
    cost         what a step takes: work -> roofline time -> power

On top of them stand

    run          N identical requests at once, as trtllm-bench sends them
    serve        any requests, as they arrive, with latencies (statistics)
    sensor       what the paper's power sensor makes of a run's trace

and, to make constants and to say what they are worth,

    calibration  fits of the constants, to published numbers or to cells
    accuracy     tests of them, on what they were fitted to and on what was held out

There is nothing to import from here, as that would load numpy where a workflow is planned. Who only
asks takes `sweetspot.predict` and `sweetspot.simulate_load`, of `sweetspot.ask`; the rooms are for
those who change what is simulated.
docs/simulator.md says which laws these are and where each comes from.
"""

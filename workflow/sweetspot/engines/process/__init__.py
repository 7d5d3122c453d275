"""Programs started under a guard that ends them with their job, in a container or not.

`run.started` starts one and `run.run_stamped` waits for it, timing lines of its log;
`container.in_container` is the command line of one in a container. `guard` is itself a program,
which stands between and imports nothing of ours.
"""

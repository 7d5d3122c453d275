"""TensorRT-LLM: engines built, `trtllm-bench` run, its reports and windows read.

`engine` is the way in. It builds once what `build` describes, in a version of `versions`, by
`programs` on one board. Cells then run in a `session`, an engine load each as in the paper: `bench`
is the command, `report` what it wrote, `window` when it ran. With `mode: llm-api` one worker keeps
the engine loaded instead (worker/).
"""

"""TensorRT-LLM: engines built, `trtllm-bench` run, its reports and windows read."""

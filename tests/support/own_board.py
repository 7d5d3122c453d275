"""A board that the catalog lacks, as its owner's file describes it."""

TEXT = """\
nvml_name: NVIDIA Foo 9000
memory_mib: 81920
bandwidth_gb_per_s: 2000
fp16_tflops: 600
fp8_tflops: null
power_limit_w: 600
nvlink_gb_per_s: null
pcie_gb_per_s: 64
max_clock_mhz: 2000
"""

"""Stage "dataset": the requests that measuring engines read.

Needs:   nothing but the configuration
Makes:   results/<run>/datasets/n{requests}_i{input_tokens}_o{output_tokens}.jsonl
         one file for all models; none at all for the simulator
Config:  sweeps, dataset
"""


rule dataset:
    """Write one data set as trtllm-bench reads it."""
    output:
        ensure(
            f"{RUN}/datasets/n{{requests}}_i{{input_tokens}}_o{{output_tokens}}.jsonl",
            non_empty=True,
        ),
    log:
        f"{RUN}/logs/datasets/n{{requests}}_i{{input_tokens}}_o{{output_tokens}}.log",
    wildcard_constraints:
        requests=r"\d+",
        input_tokens=r"\d+",
        output_tokens=r"\d+",
    priority: 1  # before anything is measured beside it
    localrule: True
    params:
        seed=EXPERIMENT.dataset.seed,
        vocab_size=EXPERIMENT.dataset.vocab_size,
        eos_id=EXPERIMENT.dataset.eos_id,
    shell:
        "{SWEETSPOT} dataset --requests {wildcards.requests}"
        " --input-tokens {wildcards.input_tokens} --output-tokens {wildcards.output_tokens}"
        " --vocab-size {params.vocab_size} --eos-id {params.eos_id} --seed {params.seed}"
        " --out {output:q} 2>&1 | tee {log:q}"

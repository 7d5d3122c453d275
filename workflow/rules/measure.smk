"""Stage "measure": one job per block of cells, then the table of all cells.

Needs:   nothing but the configuration
Makes:   results/<run>/blocks/{block}.jsonl   one record per cell (workflow/sweetspot/measure/record.py)
         results/<run>/cells.csv              one row per cell
         beside them, outside Snakemake's hands: records/ (a file per finished cell, reused by
         later runs) with the power trace of each; of an engine that measures engine/, its logs and
         reports, and datasets/, the requests of its cells, shared by blocks
Config:  engine, gpu, gpu_settings, models, sweeps, limits, precision, dataset, measure, adaptive,
         simulator, tensorrt_llm, vllm, transformers, node
"""


def new_cells(wildcards):
    """Return how many cells of the block have no record yet; `snakemake -n` shows it."""
    return len(cells_left(wildcards.block))


@cache
def busy_with(block_id):
    """Return how long the GPU will be busy with a block's cells to measure, and its energy."""
    return busy(BLOCKS[block_id], cells_left(block_id))


def gpu_hours(wildcards):
    """Return how long the GPU will be busy with a block's cells to measure, in hours.

    Text, as no scheduler is to count with it.
    """
    return f"{busy_with(wildcards.block).duration_s.expected / 3600:.2f}"


def runtime(wildcards):
    """Return how many minutes a block's job may take on a cluster."""
    block, most = BLOCKS[wildcards.block], work(wildcards.block).most
    minutes = runtime_min(block, len(most), busy(block, most).duration_s.expected)
    # One that decides as it goes is not split: what it leaves undone, the same command goes on with.
    return min(minutes, longest_job_min()) if block.adaptive else minutes


def gpu_model():
    """Return what SLURM calls the experiment's GPU, where that is clear; None takes any GPU."""
    if not SITE or EXPERIMENT.engine == "simulator":
        return None
    return gpu_type(PLAN.blocks[0].settings.gpu.nvml_name, SITE) or None


# Another seed or vocabulary has other files: a job makes those that are not there.
DATASETS = "seed{seed}_vocab{vocab_size}_eos{eos_id}".format(**plain(EXPERIMENT.dataset))


def more(wildcards):
    """Return what else a measuring job needs to know; none of it decides a value."""
    block = BLOCKS[wildcards.block]
    found = node(block)
    if block.adaptive:
        found += ["--candidates", block.candidate_names, "--adaptive", json_text(block.adaptive)]
    return found


def node(block):
    """Return what it needs to know of its node."""
    if EXPERIMENT.engine == "simulator":
        return []
    known = plain(EXPERIMENT.node)
    del known["checkpoints"]
    if not EXPERIMENT.node.telemetry.sinks:
        del known["telemetry"]  # what decides nothing asks for no job
    found = known | {
        "checkpoint": str(weights_of(block)) if needs_weights() else None,
        "model_reference": block.model_reference,
        "datasets": f"{RUN}/datasets/{DATASETS}",
        "reports": f"{RUN}/engine",
    }
    return ["--node", json.dumps(found)]


# Whether this command simulates here, with no limit to how long a job may take and no block asked
# for again: then a job has several blocks. A cluster's has one, by which it finds itself on a node.
SHARED = (
    EXPERIMENT.engine == "simulator"
    and workflow.is_main_process
    and workflow.local_exec
    and EXPERIMENT.measure.remeasure == "nothing"
    and EXPERIMENT.measure.design != "adaptive"  # which is decided block by block
    and not (SITE or asked("longest_job_min"))
    # of a dry run with a cluster's profile, which knows no executor
    and "slurm_partition" not in (workflow.resource_settings._parsed_default_resources or ())
)

for share, blocks in enumerate(shares(BLOCKS.values()) if SHARED else [], start=1):

    rule:
        name:
            f"simulate_{share}"
        output:
            [f"{RUN}/blocks/{block.id}.jsonl" for block in blocks],
        log:
            f"{RUN}/logs/measure/share_{share}.log",
        resources:
            new_cells=lambda w, blocks=blocks: sum(len(cells_left(block.id)) for block in blocks),
        params:
            names=[block.id for block in blocks],
            settings=[block.settings.json for block in blocks],
            cells=[block.cell_names for block in blocks],
        shell:
            "{SWEETSPOT} measure --block {params.names:q} --settings {params.settings:q}"
            " --cells {params.cells:q} --records {RUN}/records --out {output:q}"
            " 2>&1 | tee {log:q}"


rule measure:
    """Measure, or simulate, one block of cells with one engine load."""
    output:
        # Not ensure(): that looks for a file in a storage before it was sent there.
        f"{RUN}/blocks/{{block}}.jsonl",
    log:
        f"{RUN}/logs/measure/{{block}}.log",
    resources:
        gpu=0 if EXPERIMENT.engine == "simulator" else 1,
        gpu_model=gpu_model(),
        new_cells=new_cells,
        expected_gpu_hours=gpu_hours,
        # What a cluster's job asks for; on a node nothing looks at them.
        runtime=runtime,
        mem_mb=lambda w: memory_mb(BLOCKS[w.block]),
    params:
        # All that decides a value is here, so a change of it redoes the block, and only that.
        settings=lambda w: BLOCKS[w.block].settings.json,
        cells=lambda w: BLOCKS[w.block].cell_names,
        remeasure=EXPERIMENT.measure.remeasure,
        # Never the same twice: each command that asks to measure again does.
        asked=time.time() if EXPERIMENT.measure.remeasure != "nothing" else 0,
        # A change here runs the job again, which then reuses every record.
        more=more,
    shell:
        "{SWEETSPOT} measure --block {wildcards.block:q} --settings {params.settings:q}"
        " --cells {params.cells:q} --records {RUN}/records --out {output:q}"
        " --remeasure {params.remeasure}"
        " {params.more:q}"
        " 2>&1 | tee {log:q}"


rule cells:
    """Put all cells into one table."""
    input:
        expand(f"{RUN}/blocks/{{block}}.jsonl", block=BLOCKS),
    output:
        report(
            ensure(f"{RUN}/cells.csv", non_empty=True),
            caption="../report/cells.rst",
            category="Cells",
            labels={"file": "cells.csv"},
        ),
    log:
        f"{RUN}/logs/cells.log",
    params:
        experiment=config_json(
            engine=True,
            gpu=True,
            models=True,
            sweeps=True,
            simulator=True,
            limits=True,
            precision=True,
            measure=("design", "repeats"),
        ),
    shell:
        "{SWEETSPOT} cells --experiment {params.experiment:q} --out {output:q} {input:q}"
        " 2>&1 | tee {log:q}"

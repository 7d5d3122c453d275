"""Stage "measure": one job per block of cells, then the table of all cells.

Needs:   nothing but the configuration; data sets for engines that measure
Makes:   results/<run>/blocks/{block}.jsonl   one record per cell (workflow/sweetspot/records.py)
         results/<run>/cells.csv              one row per cell
         beside them, outside Snakemake's hands: records/ (a file per finished cell, adopted by
         later runs) with the power trace of each
Config:  engine, gpu, models, sweeps, limits, dataset, measure, simulator
"""


def new_cells(wildcards):
    """Return how many cells of the block have no record yet; `snakemake -n` shows it."""
    block = BLOCKS[wildcards.block]
    paths = (record_path(Path(RUN) / "records", cell, block.key(cell)) for cell in block.cells)
    return sum(EXPERIMENT.measure.remeasure or not path.exists() for path in paths)


rule measure:
    """Measure, or simulate, one block of cells with one engine load."""
    output:
        ensure(f"{RUN}/blocks/{{block}}.jsonl", non_empty=True),
    log:
        f"{RUN}/logs/measure/{{block}}.log",
    params:
        # All that decides a value is here, so a change of it redoes the block, and only that.
        settings=lambda w: BLOCKS[w.block].settings.json,
        cells=lambda w: BLOCKS[w.block].cell_names,
        remeasure="--remeasure" if EXPERIMENT.measure.remeasure else "",
    resources:
        gpu=0 if EXPERIMENT.engine == "simulator" else 1,
        new_cells=new_cells,
    shell:
        "{SWEETSPOT} measure --block {wildcards.block:q} --settings {params.settings:q}"
        " --cells {params.cells:q} --records {RUN}/records --out {output:q} {params.remeasure}"
        " 2>&1 | tee {log:q}"


rule cells:
    """Put all cells into one table."""
    input:
        expand(f"{RUN}/blocks/{{block}}.jsonl", block=BLOCKS),
    output:
        ensure(f"{RUN}/cells.csv", non_empty=True),
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
            measure={"repeats"},
        ),
    shell:
        "{SWEETSPOT} cells --experiment {params.experiment:q} --out {output:q} {input:q}"
        " 2>&1 | tee {log:q}"

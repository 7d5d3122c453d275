"""Stage "analysis": the energy models fitted to the cells, and the paper beside them.

Needs:   results/<run>/cells.csv
Makes:   results/<run>/fits/{coefficients,quality,sweet_spots,extremes}.csv
         results/<run>/fits/batch_{coefficients,quality,loads,spots,across}.csv
         results/<run>/comparison.csv
Config:  analysis, limits
"""

FITS = [f"{RUN}/fits/{name}.csv" for name in ("coefficients", "quality", "sweet_spots", "extremes")]
BATCH_FITS = [
    f"{RUN}/fits/batch_{name}.csv"
    for name in ("coefficients", "quality", "loads", "spots", "across")
]


rule analyse:
    """Fit the six forms to every model's grid, and the batch form to all loads of a model."""
    input:
        rules.cells.output,
    output:
        FITS,
        BATCH_FITS,
    log:
        f"{RUN}/logs/analyse.log",
    params:
        protocol=7,  # raised when the analysis code changes what it gives
        weights=EXPERIMENT.analysis.weights,
        max_num_tokens=EXPERIMENT.limits.max_num_tokens,
    shell:
        "{SWEETSPOT} analyse {input:q} --out {RUN}/fits"
        " --weights {params.weights} --max-num-tokens {params.max_num_tokens} 2>&1 | tee {log:q}"


rule compare_paper:
    """Put the paper's numbers beside this run's."""
    input:
        cells=rules.cells.output,
        fits=FITS,
    output:
        ensure(f"{RUN}/comparison.csv", non_empty=True),
    log:
        f"{RUN}/logs/compare_paper.log",
    params:
        protocol=5,
    shell:
        "{SWEETSPOT} compare-paper {input.cells:q} --fits {RUN}/fits --out {output:q} 2>&1 | tee {log:q}"

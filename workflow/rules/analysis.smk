"""Stage "analysis": the energy models fitted to the cells, and the paper beside them.

Needs:   results/<run>/cells.csv
Makes:   results/<run>/fits/{coefficients,quality,sweet_spots,extremes}.csv
         results/<run>/fits/batch_{coefficients,quality,loads,spots,across}.csv
         results/<run>/comparison.csv, where all forms can be fitted
Config:  analysis, limits
"""

FITS = [f"{RUN}/fits/{name}.csv" for name in ("coefficients", "quality", "sweet_spots", "extremes")]
BATCH_FITS = [
    f"{RUN}/fits/batch_{name}.csv"
    for name in ("coefficients", "quality", "loads", "spots", "across")
]
COMPARISON = [f"{RUN}/comparison.csv"] if can_fit_all(CELLS) else []


rule analyse:
    """Fit the six forms to every model's grid, the batch form to all loads; put the paper beside."""
    input:
        rules.cells.output,
    output:
        FITS,
        BATCH_FITS,
        COMPARISON,
    log:
        f"{RUN}/logs/analyse.log",
    priority: 1
    params:
        protocol=7,  # raised when the analysis code changes what it gives
        weights=EXPERIMENT.analysis.weights,
        max_num_tokens=EXPERIMENT.limits.max_num_tokens,
        comparison=["--comparison", *COMPARISON] if COMPARISON else [],
    shell:
        "{SWEETSPOT} analyse {input:q} --out {RUN}/fits {params.comparison:q}"
        " --weights {params.weights} --max-num-tokens {params.max_num_tokens} 2>&1 | tee {log:q}"

"""Stage "analysis": the energy models fitted to the cells, and the paper beside them.

Needs:   results/<run>/cells.csv
Makes:   results/<run>/fits/{coefficients,quality,sweet_spots,extremes}.csv
         results/<run>/comparison.csv
Config:  analysis
"""

FITS = [f"{RUN}/fits/{name}.csv" for name in ("coefficients", "quality", "sweet_spots", "extremes")]


rule analyse:
    """Fit the six forms to every model's grid."""
    input:
        rules.cells.output,
    output:
        FITS,
    log:
        f"{RUN}/logs/analyse.log",
    params:
        protocol=3,  # raised when the analysis code changes what it gives
        weights=EXPERIMENT.analysis.weights,
    shell:
        "{SWEETSPOT} analyse {input:q} --out {RUN}/fits"
        " --weights {params.weights} 2>&1 | tee {log:q}"


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
        protocol=3,
    shell:
        "{SWEETSPOT} compare-paper {input.cells:q} --fits {RUN}/fits --out {output:q} 2>&1 | tee {log:q}"

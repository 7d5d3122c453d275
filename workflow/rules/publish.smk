"""Stage "publish": what people read: tables, figures, two pages of it all, and the manifest.

Needs:   results/<run>/cells.csv, fits/, comparison.csv
Makes:   results/<run>/tables/{table}.{csv,md,html,tex}
         results/<run>/figures/{figure}.{png,pdf,alt.txt}
         results/<run>/report.html
         results/<run>/explorer.html
         results/<run>/manifest.json
Config:  models, figures, analysis, limits; of the explorer all that decides what is simulated
"""

OF_FITS = [name for name in FIGURES if name in FIGURES_OF_FITS]
OF_CELLS = [name for name in FIGURES if name not in FIGURES_OF_FITS]


def described_models(wildcards):
    """Return what the table of models says: no input file changes with it."""
    return sorted({repr(block.settings.model) for block in PLAN.blocks})


def shown(path, caption, category, **labels):
    """Return a file that Snakemake's own report shows."""
    return report(path, caption=f"../report/{caption}.rst", category=category, labels=labels)


def pictures(names):
    """Return the files of figures; one job draws several, as starting takes longer than drawing."""
    return [
        *expand(f"{RUN}/figures/{{figure}}.{{suffix}}", figure=names, suffix=("pdf", "alt.txt")),
        *(shown(f"{RUN}/figures/{each}.png", "figures", "Figures", figure=each) for each in names),
    ]


rule tables:
    """Make the paper's tables, as many as the cells can give."""
    input:
        FITS if can_fit(CELLS) else [],
        BATCH_FITS if can_fit(CELLS) else [],
        COMPARISON,
    output:
        expand(f"{RUN}/tables/{{table}}.{{suffix}}", table=TABLES, suffix=("csv", "tex", "md")),
        [shown(f"{RUN}/tables/{name}.html", "tables", "Tables", table=name) for name in TABLES],
    log:
        f"{RUN}/logs/tables.log",
    params:
        protocol=6,
        names=TABLES,
        models=lambda wildcards: MODELS,  # a name may have braces
        entries=described_models,
    shell:
        "{SWEETSPOT} tables {params.names} --models {params.models:q} --fits {RUN}/fits"
        " --comparison {RUN}/comparison.csv --out {RUN}/tables 2>&1 | tee {log:q}"


# What takes longest begins first, and what others wait for: then the last jobs end together.
rule figures:
    """Draw the paper's figures."""
    input:
        rules.cells.output,
    output:
        pictures(OF_CELLS),
    log:
        f"{RUN}/logs/figures.log",
    priority: 2
    params:
        protocol=10,
        names=OF_CELLS,
        style=json_text(EXPERIMENT.figures),
        max_num_tokens=EXPERIMENT.limits.max_num_tokens,
    shell:
        "{SWEETSPOT} figures {params.names} --cells {input:q} --style {params.style:q}"
        " --max-num-tokens {params.max_num_tokens} --out {RUN}/figures 2>&1 | tee {log:q}"


rule fit_figures:
    """Draw the figures of the fits."""
    input:
        rules.cells.output,
    output:
        pictures(OF_FITS),
    log:
        f"{RUN}/logs/fit_figures.log",
    priority: 2
    params:
        protocol=6,
        names=OF_FITS,
        style=json_text(EXPERIMENT.figures),
        weights=EXPERIMENT.analysis.weights,
    shell:
        "{SWEETSPOT} figures {params.names} --cells {input:q} --style {params.style:q}"
        " --weights {params.weights} --out {RUN}/figures 2>&1 | tee {log:q}"


rule page:
    """Put all that people read on one page, which opens on the result."""
    input:
        cells=rules.cells.output,
        blocks=rules.cells.input,
        fits=FITS + BATCH_FITS if can_fit(CELLS) else [],
        comparison=COMPARISON,
        figures=expand(
            f"{RUN}/figures/{{figure}}.{{suffix}}", figure=FIGURES, suffix=("png", "alt.txt")
        ),
    output:
        ensure(f"{RUN}/report.html", non_empty=True),
    log:
        f"{RUN}/logs/page.log",
    priority: 1
    params:
        protocol=5,
        models=lambda wildcards: MODELS,  # a name may have braces
        entries=described_models,
        tables=TABLES,
        figures=FIGURES,
    shell:
        "{SWEETSPOT} page {RUN} --models {params.models:q} --tables {params.tables}"
        " --figures {params.figures} --blocks {input.blocks:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule explorer:
    """Make a page to look around in: the cells, with simulated grids beside."""
    input:
        rules.cells.output,
    output:
        ensure(f"{RUN}/explorer.html", non_empty=True),
    log:
        f"{RUN}/logs/explorer.log",
    params:
        protocol=3,
        experiment=config_json(
            run=True,
            engine=True,
            gpu=True,
            gpu_settings=True,
            models=True,
            sweeps=True,
            simulator=True,
            limits=True,
            precision=True,
        ),
    shell:
        "{SWEETSPOT} explore-run {input:q} --experiment {params.experiment:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule manifest:
    """List all files of the run with their hashes, its experiment, code and machine."""
    input:
        rules.cells.output,
        FITS + BATCH_FITS if can_fit(CELLS) else [],
        COMPARISON,
        rules.tables.output,
        rules.figures.output,
        rules.fit_figures.output,
        rules.page.output,
        rules.explorer.output,
    output:
        ensure(f"{RUN}/manifest.json", non_empty=True),
    log:
        f"{RUN}/logs/manifest.log",
    params:
        experiment=config_json(),
    shell:
        "{SWEETSPOT} manifest --experiment {params.experiment:q} --out {output:q} {input:q}"
        " 2>&1 | tee {log:q}"

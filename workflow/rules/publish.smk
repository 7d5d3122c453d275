"""Stage "publish": what people read: tables, figures, two pages of it all, and the manifest.

Needs:   results/<run>/cells.csv, fits/, comparison.csv
Makes:   results/<run>/tables/{table}.{csv,md,html,tex}
         results/<run>/figures/{figure}.{png,pdf,alt.txt}
         results/<run>/report.html
         results/<run>/explorer.html
         results/<run>/manifest.json
Config:  models, figures, analysis, limits; of the explorer all that decides what is simulated
"""


def table_input(wildcards):
    """Return the files that a table is made of: none for those of forms and of models."""
    if wildcards.table in ("table1_forms", "table2_models"):
        return []
    if wildcards.table == "comparison":
        return rules.compare_paper.output
    return BATCH_FITS if wildcards.table in TABLES_OF_BATCH else FITS


def described_models(wildcards):
    """Return what the table of models says: no input file changes with it."""
    if wildcards.get("table", "table2_models") != "table2_models":
        return []
    return sorted({repr(block.settings.model) for block in PLAN.blocks})


def fit_options(figure):
    """Return what decides the fits that a figure shows: nothing for the figures of cells alone."""
    if figure in ("figure1_requests", "figure4_batch"):
        return f"--max-num-tokens {EXPERIMENT.limits.max_num_tokens}"
    return f"--weights {EXPERIMENT.analysis.weights}" if figure.startswith("fit_") else ""


rule table:
    """Make one of the paper's tables."""
    input:
        table_input,
    output:
        csv=f"{RUN}/tables/{{table}}.csv",
        tex=f"{RUN}/tables/{{table}}.tex",
        md=f"{RUN}/tables/{{table}}.md",
        html=report(
            f"{RUN}/tables/{{table}}.html",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
    log:
        f"{RUN}/logs/tables/{{table}}.log",
    params:
        protocol=4,
        stem=f"{RUN}/tables/{{table}}",
        models=lambda wildcards: MODELS if wildcards.table == "table2_models" else [],
        entries=described_models,
    shell:
        "{SWEETSPOT} table {wildcards.table} --models {params.models:q} --fits {RUN}/fits"
        " --comparison {RUN}/comparison.csv --out {params.stem:q} 2>&1 | tee {log:q}"


rule figure:
    """Draw one of the paper's figures, or one of the fits."""
    input:
        rules.cells.output,
    output:
        pdf=f"{RUN}/figures/{{figure}}.pdf",
        alt=f"{RUN}/figures/{{figure}}.alt.txt",
        png=report(
            f"{RUN}/figures/{{figure}}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        f"{RUN}/logs/figures/{{figure}}.log",
    params:
        protocol=5,
        stem=f"{RUN}/figures/{{figure}}",
        style=json_text(EXPERIMENT.figures),
        fits=lambda wildcards: fit_options(wildcards.figure),
    shell:
        "{SWEETSPOT} figure {wildcards.figure} {input:q} --style {params.style:q} {params.fits}"
        " --out {params.stem:q} 2>&1 | tee {log:q}"


rule page:
    """Put all that people read on one page, which opens on the result."""
    input:
        cells=rules.cells.output,
        blocks=rules.cells.input,
        fits=FITS + BATCH_FITS if can_fit(CELLS) else [],
        comparison=rules.compare_paper.output if can_fit_all(CELLS) else [],
        figures=expand(
            f"{RUN}/figures/{{figure}}.{{suffix}}", figure=FIGURES, suffix=("png", "alt.txt")
        ),
    output:
        ensure(f"{RUN}/report.html", non_empty=True),
    log:
        f"{RUN}/logs/page.log",
    params:
        protocol=1,
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
        protocol=1,
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
        rules.compare_paper.output if can_fit_all(CELLS) else [],
        expand(
            f"{RUN}/tables/{{table}}.{{suffix}}", table=TABLES, suffix=("csv", "md", "html", "tex")
        ),
        expand(
            f"{RUN}/figures/{{figure}}.{{suffix}}",
            figure=FIGURES,
            suffix=("png", "pdf", "alt.txt"),
        ),
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

"""What all rules share: the experiment, its plan, and how jobs call the library.

Needs:   the configuration (config.yaml or --configfile, with --config on top)
Makes:   nothing
Config:  all of it; a mistake ends the run here with one line and exit code 2
"""


def stop(message):
    """End with one line: a traceback through Snakemake would hide what is to be done."""
    print(f"sweetspot: error: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(2)


try:
    from sweetspot.config import parse_experiment
    from sweetspot.engines.preflight import require
    from sweetspot.errors import SweetspotError
    from sweetspot.files import make_folder
    from sweetspot.outputs import figures_of, has_grid, tables_of
    from sweetspot.plan import plan
    from sweetspot.records import record_path
except ImportError as error:
    stop(f"{error}; `make env` sets everything up, then use .venv/bin/snakemake")

try:
    EXPERIMENT = parse_experiment(config, "configuration")
    PLAN = plan(EXPERIMENT)
except SweetspotError as error:
    stop(error)

RUN = f"results/{EXPERIMENT.run}"
BLOCKS = {block.id: block for block in PLAN.blocks}
CELLS = list(PLAN.cells)
TABLES = tables_of(CELLS)
FIGURES = figures_of(CELLS)
MODELS = list(
    dict.fromkeys(m for s in EXPERIMENT.sweeps.values() for m in s.models or EXPERIMENT.models)
)

# The Python that runs Snakemake also runs the jobs, with or without an activated environment.
SWEETSPOT = f"{sys.executable} -m sweetspot"


def check_before_jobs():
    """Stop before any job if this machine cannot measure; cluster jobs check their own node."""
    try:
        make_folder(Path(RUN))
        if workflow.local_exec:
            require(EXPERIMENT.engine, EXPERIMENT.gpu)
    except SweetspotError as error:
        stop(error)


def config_json(**include):
    """Return the part of the experiment that a rule depends on, as one line."""
    return EXPERIMENT.model_dump_json(include=include or None)

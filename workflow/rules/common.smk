"""What all rules share: the experiment, its plan, and how jobs call the library.

Needs:   the configuration (config.yaml or --configfile, with --config on top)
Makes:   nothing
Config:  all of it; a mistake ends the run here with one line and exit code 2
"""

try:
    from sweetspot.errors import SweetspotError, one_line
except ImportError:
    one_line = str


def stop(message):
    """End with one line: a traceback through Snakemake would hide what is to be done."""
    print(f"sweetspot: error: {one_line(message)}", file=sys.stderr)
    sys.exit(2)


try:
    from sweetspot import __version__ as sweetspot_version, captions
    from sweetspot.config import parse_experiment
    from sweetspot.engines.weights.checkpoint import checkpoint_folder
    from sweetspot.engines.packages import packages_of
    from sweetspot.engines.preflight import require, require_models
    from sweetspot.files import keep_others_from_writing, make_folder, write_bytes_atomic
    from sweetspot.outputs import FIGURES_OF_FITS, can_fit, can_fit_all, figures_of, tables_of
    from sweetspot.measure.estimate import estimate_of
    from sweetspot.plan.busy import busy
    from sweetspot.plan.job import memory_mb, runtime_min
    from sweetspot.plan.plan import plan
    from sweetspot.plan.split import parts_of_any_size, shares, split
    from sweetspot.measure.manifest import MANIFEST, read_manifest
    from sweetspot.measure.record import read_block
    from sweetspot.measure.work import work_of
    from sweetspot.progress.show import Display, Follower
    from sweetspot.progress.watch import RunWatch, write_run_plan
    from sweetspot.reading import as_mapping, read_json, read_yaml
    from sweetspot.running import Hold
    from sweetspot.schema.writing import json_text, plain
    from sweetspot.slurm import JobRequest, gpu_type, partition, require_slurm
except ImportError as error:
    stop(f"{error}; `make env` sets everything up, then use .venv/bin/snakemake")

# Snakemake's log is there before this file is read.
NOTES = Path(".snakemake").absolute()
keep_others_from_writing(NOTES, NOTES / "log", *(NOTES / "log").glob("*"))

CONFIG = Path(workflow.basedir) / "config.yaml"
if workflow.is_main_process:
    # Snakemake would not say where a mistake is, with --quiet nothing, and takes the last of two
    # keys of one name.
    for path in map(Path, workflow.overwrite_configfiles or [CONFIG]):
        try:
            if path.suffix == ".json":
                read = read_json(path, "configuration", keys_once=True)
            else:
                read = read_yaml(path, "configuration")
            as_mapping(read, f"configuration {path}")
        except SweetspotError as error:
            stop(error)
if not workflow.overwrite_configfiles:

    configfile: str(CONFIG)


try:
    EXPERIMENT = parse_experiment(config, "configuration")
    PLAN = plan(EXPERIMENT)
except SweetspotError as error:
    stop(error)

# Captions of Snakemake's report read the configuration; give them the defaults, too.
config.update(plain(EXPERIMENT), captions=captions.FIGURES)


def of_measure():
    """Return the resources that the profile or the command line gives this rule's jobs alone."""
    return workflow.resource_settings._parsed_overwrite_resources.get("measure", {})


def asked(resource):
    """Return what the profile or the command line has them ask for; "" if nothing."""
    for resources in (of_measure(), workflow.resource_settings._parsed_default_resources):
        if resource in resources:
            return str(resources[resource].raw).strip("'\"")
    return ""


@cache
def longest_job_min():
    """Return how long a job may take, in minutes."""
    stated = asked("longest_job_min")
    if stated and not stated.isdecimal():
        stop(f"longest_job_min is {stated!r}; it must be a whole number of minutes")
    return int(stated) if stated else SITE.limit_min if SITE else math.inf


def blocks_of_jobs():
    """Return the blocks that are a job each: none that would take longer than a job may."""
    if not workflow.is_main_process:  # the job of one of them
        return [part for block in PLAN.blocks for part in parts_of_any_size(block)]
    limit_min = longest_job_min()
    if math.isinf(limit_min) or "runtime" in of_measure():
        return PLAN.blocks
    blocks = split(PLAN.blocks, limit_min)
    long = {block.id for block in PLAN.blocks} - {block.id for block in blocks}
    if long:
        print(
            f"sweetspot: {len(long)} of {len(PLAN.blocks)} blocks would take longer than the"
            f" {int(limit_min)} min that a job may, so they are split: {len(blocks)} jobs in all",
            file=sys.stderr,
        )
    return blocks


# What SLURM says of the partition that jobs go to, or None.
SITE = partition(asked("slurm_partition")) if workflow.is_main_process else None

RUN = f"results/{EXPERIMENT.run}"
BLOCKS = {block.id: block for block in blocks_of_jobs()}
CELLS = list(PLAN.cells)
TABLES = tables_of(CELLS)
FIGURES = figures_of(CELLS)
# One that begins with a dash is not taken for an option.
MODELS = [
    f"./{reference}" if reference.startswith("-") else reference
    for reference in dict.fromkeys(block.model_reference for block in PLAN.blocks)
]

# Snakemake itself would end with a traceback where it cannot write, or a file lies in the way.
if not os.access(NOTES if NOTES.exists() else NOTES.parent, os.W_OK):
    stop(
        f"cannot write {RUN}: {NOTES.parent} is read-only;"
        " work in a copy of your own, or name another folder with --directory"
    )
for folder in (Path("results"), Path(RUN)):
    if folder.exists() and not folder.is_dir():
        stop(f"cannot write {RUN}: {folder} is a file; move it away, or choose another run name")

# The Python that runs Snakemake also runs the jobs, with or without an activated environment.
SWEETSPOT = f"{shlex.quote(sys.executable)} -m sweetspot"


@cache
def work(block_id):
    """Return which cells of a block are done, and which this command has to measure or simulate."""
    return work_of(BLOCKS[block_id], Path(RUN) / "records", EXPERIMENT.measure.remeasure)


def cells_left(block_id):
    """Return those that it has to; of an adaptive design as many as are expected."""
    return work(block_id).left


def needs_weights():
    """Return whether the engine reads checkpoints; others draw their weights, or have none."""
    section = EXPERIMENT.engine_section
    return section is not None and getattr(section, "weights", "checkpoint") == "checkpoint"


def weights_of(block):
    """Return the folder of a block's checkpoint."""
    return checkpoint_folder(block.model_reference, EXPERIMENT.node.checkpoints)


def check_before_jobs():
    """Stop before any job if this machine cannot measure; cluster jobs check their own node."""
    try:
        make_folder(Path(RUN))
        require_models(EXPERIMENT, BLOCKS.values())
        if EXPERIMENT.node.telemetry.sinks and EXPERIMENT.engine != "simulator":
            from sweetspot.telemetry.connect import require_sinks

            if any(map(cells_left, BLOCKS)):
                require_sinks(EXPERIMENT.node.telemetry, here=workflow.local_exec)
        if workflow.local_exec:
            if workflow.resource_settings.cores < 1:  # Snakemake would wait for one for ever
                stop("no job can run on less than 1 core; say with --cores how many there are")
            blocks = [block for block in BLOCKS.values() if cells_left(block.id)]
            if blocks:  # what is measured is tabulated and drawn on any machine
                node = EXPERIMENT.node
                weights = dict.fromkeys(map(weights_of, blocks)) if needs_weights() else {}
                require(
                    *(EXPERIMENT.engine, EXPERIMENT.gpu),
                    *(node.python, node.container, list(weights)),
                    packages_of(EXPERIMENT.engine_section),
                )
        elif workflow.executor_plugin.name == "slurm":
            require_slurm(
                [
                    JobRequest(
                        name=f"{job.rule.name} of {job.wildcards.block}",
                        partition=str(job.resources.get("slurm_partition") or ""),
                        account=str(job.resources.get("slurm_account") or ""),
                        runtime_min=job.resources.runtime,
                    )
                    for job in workflow.dag.needrun_jobs()
                    if job.rule.name == "measure"
                ],
                *(workflow.executor_settings.status_command, Path()),
            )
    except SweetspotError as error:
        stop(error)


def config_json(**include):
    """Return the part of the experiment that a rule depends on, as one line.

    It is a function of nothing, as in a text Snakemake would take a name in braces for a wildcard.
    """
    part = plain(EXPERIMENT)
    if include:
        part = {
            name: value if include[name] is True else {key: value[key] for key in include[name]}
            for name, value in part.items()
            if name in include
        }
    return lambda wildcards: json_text(part)

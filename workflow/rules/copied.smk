"""Results that lie here without Snakemake's notes on them: brought from elsewhere, or notes deleted.

Needs:   results/<run>/, without .snakemake/metadata of it
Makes:   nothing; what such results do not have of this experiment is made again
Config:  all of it
"""


def has_notes(path):
    """Return whether Snakemake has noted how it made a file."""
    name = urlsafe_b64encode(path.encode()).decode()
    parts = [name[at : at + 254] for at in range(0, len(name), 254)]  # as Snakemake names them
    return (NOTES / "metadata" / Path(*(f"@{part}" for part in parts[:-1]), parts[-1])).exists()


def is_of_experiment(block):
    """Return whether a block's file holds the cells that this experiment asks for."""
    try:
        keys = [record.key for record in read_block(Path(RUN) / f"blocks/{block.id}.jsonl")]
    except SweetspotError:
        return False
    certain, candidates = (list(map(block.key, of)) for of in (block.cells, block.candidates))
    return keys[: len(certain)] == certain and set(keys[len(certain) :]) <= set(candidates)


def was_finished():
    """Return whether the run was finished as this experiment, by this version."""
    try:
        manifest = read_manifest(Path(RUN) / MANIFEST)
    except SweetspotError:
        return False
    same = manifest.provenance.get("sweetspot") == sweetspot_version
    return same and manifest.experiment == json.loads(json_text(EXPERIMENT))


def pages_of_others():
    """Return report.html where it is not ours: Snakemake's own was once called so."""
    page = Path(RUN) / "report.html"
    if not page.exists() or has_notes(str(page)):
        return []
    try:
        listed = page.name in read_manifest(Path(RUN) / MANIFEST).files
    except SweetspotError:
        listed = False
    return [] if listed else [str(page)]


def made_otherwise():
    """Return the files from which on the run is to be made again.

    Snakemake compares what a file was made of with its notes; where there are none, it takes every
    file that is there for good, whatever the experiment says now.
    """
    table = f"{RUN}/cells.csv"
    if Path(table).exists() and has_notes(table):
        return []
    files = {f"{RUN}/blocks/{name}.jsonl": block for name, block in BLOCKS.items()}
    blocks = [
        path
        for path, block in files.items()
        if Path(path).exists() and not has_notes(path) and not is_of_experiment(block)
    ]
    if Path(table).exists() and (blocks or not was_finished()):
        return [*blocks, table]
    return blocks


class MakeAgain(logging.Handler):
    """Has Snakemake make such files again, once a run or a dry run begins."""

    def emit(self, record):
        if getattr(record, "event", None) == LogEvent.WORKFLOW_STARTED:
            if workflow.is_main_process:
                workflow.dag_settings.forcerun = {
                    *workflow.dag_settings.forcerun,
                    *made_otherwise(),
                    *pages_of_others(),
                }


logger.addHandler(MakeAgain())

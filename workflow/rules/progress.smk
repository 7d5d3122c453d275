"""What a run says of itself on standard error: how far it is, and why it could not begin.

Needs:   Snakemake's log events, which --quiet keeps from the terminal only; cell records
Makes:   results/<run>/logs/progress.json, which cells this command has to do
Config:  nothing
"""

DISPLAY = Display(sys.stderr)
FILES = {"tables": len(TABLES), "figures": len(OF_CELLS), "fit_figures": len(OF_FITS)}


class Progress(logging.Handler):
    """Counts tables and figures; cells are counted by their files, which jobs write anywhere.

    Where nothing of Snakemake is shown (--quiet all, as `make paper` has it), it also says what
    keeps Snakemake from running jobs, a lock for instance. Jobs say themselves what went wrong.
    """

    def __init__(self):
        super().__init__()
        self.planned = self.done = 0
        self.begun = False
        self.running = {}  # how many tables or figures a job makes, by its id
        self.follower = None

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO and workflow.dryrun:
            say_plan()
        elif event == LogEvent.RUN_INFO:
            self.begun = True
            self.planned = sum(FILES[rule] for rule in FILES if record.stats.get(rule))
        elif not self.begun:  # and never is in a job of a cluster
            if record.levelno >= logging.ERROR and is_quiet():
                DISPLAY.say(f"sweetspot: error: {one_line(record.getMessage())}")
        elif event == LogEvent.JOB_INFO and record.rule_name in FILES:
            self.running[record.jobid] = FILES[record.rule_name]
        elif event == LogEvent.JOB_FINISHED and record.job_id in self.running:
            self.done += self.running[record.job_id]
            self.say(f"{self.done} of {self.planned} tables and figures")
        if not is_quiet():
            DISPLAY.show_again()

    def say(self, made):
        """Say how many tables and figures there are, after the cells that are done."""
        if self.follower:
            self.follower.files = made
            self.follower.look()
        if not DISPLAY.is_live:
            DISPLAY.say(made)

    def follow(self):
        """Begin to watch the cells of this command."""
        works = {name: work(name) for name in BLOCKS}
        try:
            write_run_plan(Path(RUN), BLOCKS.values(), works, gpus=gpus_at_once())
            # The last look comes when Snakemake has left its --directory.
            self.follower = Follower(RunWatch(Path(RUN).absolute()), DISPLAY)
        except SweetspotError as error:
            stop(error)
        self.follower.start()
        atexit.register(self.follower.close)


def is_quiet():
    """Return whether nothing of Snakemake is shown."""
    return Quietness.ALL in (workflow.output_settings.quiet or ())


def gpus_at_once():
    """Return how many GPUs will work at once, as far as is known."""
    limit = workflow.global_resources.get("gpu")
    at_once = (limit.value if limit else workflow.nodes) or 1
    return max(1, min(at_once, len(BLOCKS)))


def say_plan():
    """End what `snakemake -n` says with what all of it takes, by the numbers of `sweetspot plan`."""
    busy = {name: busy_with(name) for name in BLOCKS}
    works = {name: work(name) for name in BLOCKS}
    found = estimate_of(EXPERIMENT, list(BLOCKS.values()), works, busy, gpus=gpus_at_once())
    print(found.in_words, flush=True)
    settings = workflow.output_settings
    if not (settings.printshellcmds or settings.verbose or settings.quiet):
        # Snakemake then stops here, as for --quiet: it would go on with lines on every job.
        quiet = {Quietness.RULES, Quietness.PROGRESS}
        workflow.output_settings = replace(settings, quiet=quiet)


def make_room(record):
    """Take our line away for one of Snakemake's."""
    if not is_quiet():
        DISPLAY.clear()
    return True


PROGRESS = Progress()
logger.addFilter(make_room)
logger.addHandler(PROGRESS)

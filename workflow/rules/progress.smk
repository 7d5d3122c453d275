"""What a run says of itself on standard error: how far it is, and why it could not begin.

Needs:   Snakemake's log events, which --quiet keeps from the terminal only
Makes:   nothing
Config:  nothing
"""


def in_words(seconds):
    """Return a time as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


COUNTED = {"measure": "blocks", "table": "tables and figures", "figure": "tables and figures"}


class Progress(logging.Handler):
    """Says how many blocks are done, and how long the others may take; then tables and figures.

    Where nothing of Snakemake is shown (--quiet all, as `make paper` has it), it also says what
    keeps Snakemake from running jobs, a lock for instance. Jobs say themselves what went wrong.
    """

    def __init__(self):
        super().__init__()
        self.planned, self.done = Counter(), Counter()
        self.running = {}  # what is counted, and how many cells it has to measure, by id of the job

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO and workflow.dryrun:
            say_plan()
        elif event == LogEvent.RUN_INFO:
            for rule, jobs in record.stats.items():
                self.planned[COUNTED.get(rule)] += jobs
            # Looked up once: jobs make records as they go.
            self.cells = {name: len(cells_left(name)) for name in BLOCKS}
            self.begun, self.left = time.monotonic(), sum(self.cells.values())
        elif not self.planned:  # and never is in a job of a cluster
            if record.levelno >= logging.ERROR and self.is_quiet():
                self.say(f"sweetspot: error: {' '.join(record.getMessage().split())}")
        elif event == LogEvent.JOB_INFO and record.rule_name in COUNTED:
            cells = self.cells.get(record.wildcards.get("block"), 0)
            self.running[record.jobid] = COUNTED[record.rule_name], cells
        elif event == LogEvent.JOB_FINISHED and record.job_id in self.running:
            kind, cells = self.running.pop(record.job_id)
            self.done[kind] += 1
            self.left -= cells
            left = self.time_left() if kind == "blocks" else ""
            self.say(f"{self.done[kind]} of {self.planned[kind]} {kind}{left}")

    def time_left(self):
        """Return what the cells so far say of those to come, in words."""
        measured = sum(self.cells.values()) - self.left
        if not self.left or not measured:
            return ""
        seconds = (time.monotonic() - self.begun) * self.left / measured
        return f", about {in_words(seconds)} left"

    def is_quiet(self):
        return Quietness.ALL in (workflow.output_settings.quiet or ())

    def say(self, line):
        print(line, file=sys.stderr, flush=True)


def say_plan():
    """End what `snakemake -n` says with what all of it takes, by the numbers of `sweetspot plan`."""
    busy = {name: busy_with(name) for name in BLOCKS}
    left = {name: cells_left(name) for name in BLOCKS}
    limit = workflow.global_resources.get("gpu")
    at_once = (limit.value if limit else workflow.nodes) or 1
    gpus = max(1, min(at_once, len(BLOCKS)))
    print(
        estimate_of(EXPERIMENT, list(BLOCKS.values()), left, busy, gpus=gpus).in_words, flush=True
    )
    settings = workflow.output_settings
    if not (settings.printshellcmds or settings.verbose or settings.quiet):
        # Snakemake then stops here, as for --quiet: it would go on with lines on every job.
        quiet = {Quietness.RULES, Quietness.PROGRESS}
        workflow.output_settings = replace(settings, quiet=quiet)


logger.addHandler(Progress())

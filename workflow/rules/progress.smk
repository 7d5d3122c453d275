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
        self.running = {}  # what is counted, by id of the job

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            for rule, jobs in record.stats.items():
                self.planned[COUNTED.get(rule)] += jobs
            self.begun, self.cells = time.monotonic(), self.cells_left()
        elif not self.planned:  # and never is in a job of a cluster
            if record.levelno >= logging.ERROR and self.is_quiet():
                self.say(f"sweetspot: error: {' '.join(record.getMessage().split())}")
        elif event == LogEvent.JOB_INFO and record.rule_name in COUNTED:
            self.running[record.jobid] = COUNTED[record.rule_name]
        elif event == LogEvent.JOB_FINISHED and record.job_id in self.running:
            kind = self.running.pop(record.job_id)
            self.done[kind] += 1
            left = self.time_left() if kind == "blocks" else ""
            self.say(f"{self.done[kind]} of {self.planned[kind]} {kind}{left}")

    def time_left(self):
        """Return what the cells so far say of those to come, in words."""
        left = self.cells_left()
        if not left or left == self.cells:
            return ""
        seconds = (time.monotonic() - self.begun) * left / (self.cells - left)
        return f", about {in_words(seconds)} left"

    def cells_left(self):
        return sum(map(cells_to_measure, BLOCKS.values()))

    def is_quiet(self):
        return Quietness.ALL in (workflow.output_settings.quiet or ())

    def say(self, line):
        print(line, file=sys.stderr, flush=True)


logger.addHandler(Progress())

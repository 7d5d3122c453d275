"""One command at a time on a run, also after one that was killed.

Needs:   Snakemake's log events; the lock that it leaves in .snakemake/locks when it is killed
Makes:   results/<run>/.lock   who works on the run (workflow/sweetspot/running.py)
Config:  nothing
"""


class TakeRun(logging.Handler):
    """Takes the run for this command, once it is known to run jobs and before Snakemake's own lock.

    Snakemake tells neither who made its lock nor whether he lives; one on the same files that was
    left by a command on this machine, whose jobs have ended with it, is taken away.
    """

    def __init__(self):
        super().__init__()
        self.hold = None
        self.is_started = False

    def emit(self, record):
        # The start itself is said before Snakemake knows whether it is a dry run.
        if getattr(record, "event", None) == LogEvent.WORKFLOW_STARTED:
            self.is_started = True
        elif self.is_started and workflow.executor_plugin is not None:
            self.is_started = False
            if (
                workflow.is_main_process
                and workflow.execution_settings.lock
                and not workflow.dryrun
            ):
                try:
                    self.take()
                except SweetspotError as error:
                    stop(error)

    def take(self):
        make_folder(Path(RUN))
        # Snakemake would end with a traceback where its lock finds no room.
        probe = NOTES / "probe"
        write_bytes_atomic(probe, bytes(64 * 1024))
        probe.unlink(missing_ok=True)
        self.hold = Hold(Path(RUN))
        locks = locks_of_run()
        if locks and not self.hold.is_left:
            stop(
                f"{RUN} is locked by an earlier command"
                f" ({self.hold.before or 'it left no name'}), which may still run, or its jobs:"
                " once they have ended, `snakemake --unlock` with the same options, then the same"
                " command"
            )
        self.hold.take(jobs_end_with_it=workflow.local_exec)
        if locks:
            print(
                f"sweetspot: the last command on {RUN} was killed ({self.hold.before});"
                " going on from there",
                file=sys.stderr,
            )
        for path in locks:
            path.unlink(missing_ok=True)


def locks_of_run():
    """Return Snakemake's locks on files of this run; other runs in this folder have theirs."""
    found = []
    for path in (NOTES / "locks").glob("*.lock"):
        with suppress(FileNotFoundError):  # of another run, which has just ended
            if any(line.startswith(f"{RUN}/") for line in path.read_text().splitlines()):
                found.append(path)
    return found


logger.addHandler(TakeRun())

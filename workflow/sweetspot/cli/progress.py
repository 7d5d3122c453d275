"""`sweetspot progress`, and the line that updates below what a campaign says."""

import argparse
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweetspot.cli.commands import Commands

_PROGRESS = """\
Say how far a run or a campaign is, on this machine, a node or a cluster: cells done, running and
failed, power now, energy so far, time left. It reads what jobs leave in the folder, and may be
started anywhere that sees it. In a terminal the line updates until all cells are done, the command
that did them has ended on this machine, or Ctrl-C; elsewhere it is printed once."""


def add_commands(commands: Commands) -> None:
    """Add the command."""
    progress = commands.add_parser(
        "progress", help="how far a run or a campaign is", description=_PROGRESS
    )
    progress.add_argument(
        "folder", type=Path, metavar="FOLDER", help="such as results/paper or campaigns/campaign"
    )
    progress.set_defaults(run=_progress)


def _progress(arguments: argparse.Namespace) -> None:
    from sweetspot.progress.show import EVERY_S, Display, Follower
    from sweetspot.progress.watch import watch
    from sweetspot.progress.words import in_words

    watched, display = watch(arguments.folder), Display(sys.stdout)
    if not display.is_live:
        watched.look()
        print(in_words(watched.state()))
        return
    follower = Follower(watched, display)
    try:
        while (state := follower.look()).cells is None or state.done < state.cells:
            if state.ended:
                break
            time.sleep(EVERY_S)
    except KeyboardInterrupt:  # the way to leave it; what is watched goes on
        pass
    finally:
        display.say(in_words(watched.state()))


@contextmanager
def line_that_updates(folder: Path) -> Iterator[None]:
    """Show in a terminal, below the line that each cell has, how far a campaign is."""
    from sweetspot.progress.show import Display, Follower
    from sweetspot.progress.watch import CampaignWatch

    display = Display(sys.stderr)
    if not display.is_live:
        yield
        return

    def make_room(_: logging.LogRecord) -> bool:
        display.clear()
        return True

    handlers = logging.getLogger().handlers
    for handler in handlers:
        handler.addFilter(make_room)
    follower = Follower(CampaignWatch(folder), display, cells=False)
    follower.start()
    try:
        yield
    finally:
        follower.close()
        for handler in handlers:
            handler.removeFilter(make_room)

"""A real SLURM on loopback: two nodes with two synthetic GPUs each; nothing is left of it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NODES = ("gpu1", "gpu2")
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")
OF_ACCOUNTING = ("slurmdbd", "mariadbd", "sacct")

# CPUs and memory are claimed, not there (config_overrides).
CONFIGURATION = """\
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld
SlurmdLogFile={folder}/log/slurmd.%n
SlurmdParameters=config_overrides
TaskProlog={folder}/task_prolog
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=1
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
GresTypes=gpu
JobRequeue=0
MinJobAge={min_job_age_s}
KillWait=2
SlurmctldTimeout=30
SlurmdTimeout=30
{storage}
NodeName=DEFAULT CPUs=16 RealMemory=256000 Gres=gpu:h100:2
NodeName=gpu1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]}
NodeName=gpu2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=gpu Nodes=gpu[1-2] MaxTime=1-00:00:00 State=UP
PartitionName=short Nodes=gpu[1-2] MaxTime=00:16:00 State=UP
"""
STORAGE = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={ports[3]}
AccountingStoragePass={folder}/munge/socket"""
DATABASE = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdPort={ports[3]}
SlurmUser=root
LogFile={folder}/log/slurmdbd
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[4]}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""
GRANTS = """
create database slurm_acct_db; create user slurm@localhost identified by 'slurm';
create user slurm@'127.0.0.1' identified by 'slurm';
grant all on slurm_acct_db.* to slurm@localhost; grant all on slurm_acct_db.* to slurm@'127.0.0.1';
"""
# What the nodes tell their jobs: each has boards and a folder for locks of its own, as two
# machines would.
TASK_PROLOG = """#!/bin/sh
[ -z "$FAKE_NVML" ] || echo export FAKE_NVML=${{FAKE_NVML%.gpu?}}.$SLURMD_NODENAME
echo export SWEETSPOT_LOCKS={folder}/locks/$SLURMD_NODENAME
"""
# Snakemake's plugin takes all of SLURM's variables out of a job's environment, and SLURM_CONF with
# them; elsewhere srun finds the file where SLURM itself looks.
SRUN = """#!/bin/sh
SLURM_CONF={folder}/slurm.conf exec {srun} "$@"
"""
# Snakemake on a login node: it looks after its jobs every second, and not 5, 15 and 25 s later.
SNAKEMAKE = """#!{python}
import asyncio
from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

async def sleep(executor):
    await asyncio.sleep(1)

RemoteExecutor.sleep = sleep
main()
"""


class SlurmError(Exception):
    """A command of SLURM failed."""


@dataclass
class Slurm:
    """A cluster that runs; `folder` holds all that it writes."""

    folder: Path
    accounting: bool
    daemons: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def environment(self):
        """What finds it: for its own commands, and for those that use them."""
        return {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def __call__(self, *command):
        """Return what one of SLURM's commands says."""
        done = subprocess.run(
            command,
            env=os.environ | self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise SlurmError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
        return done.stdout

    def jobs(self, folder):
        """Return {block: (id, state, node)} of the jobs submitted from there, the last of each."""
        found = {}
        for line in self(
            "squeue", "-h", "--states=all", "--sort=i", "-o", "%i|%T|%N|%k|%Z"
        ).splitlines():
            job, state, node, comment, place = line.split("|")
            if place == str(folder):
                found[comment.removeprefix("rule_measure_wildcards_")] = job, state, node
        return found

    def start(self, *command, name=None):
        """Start a daemon, which ends with this process however that does."""
        name = name or command[0]
        with (self.folder / "log" / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                [shutil.which("setpriv"), "--pdeathsig", "TERM", *command],
                env=os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf")},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, *command, says="", timeout_s=60):
        """Wait until a command succeeds and says something."""
        end_s = time.monotonic() + timeout_s
        while True:
            try:
                if says in self(*command):
                    return
            except SlurmError:
                pass
            assert time.monotonic() < end_s, f"SLURM did not start: see {self.folder / 'log'}"
            time.sleep(0.1)

    def up(self, min_job_age_s):
        for name in ("munge", "state", "log", "dev", "bin", "etc", *(f"spool/{n}" for n in NODES)):
            (self.folder / name).mkdir(parents=True)
        for node in NODES:
            (self.folder / "locks" / node).mkdir(parents=True)
        for index in range(2):  # SLURM wants character devices, numbered by their names
            (self.folder / "dev" / f"gpu{index}").symlink_to("/dev/null")
        with_sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(5)]
        filled = {
            "folder": self.folder,
            "host": socket.gethostname().partition(".")[0],
            "ports": [each.getsockname()[1] for each in with_sockets],
            "min_job_age_s": min_job_age_s,
            "srun": shutil.which("srun"),
        }
        for each in with_sockets:
            each.close()
        storage = STORAGE if self.accounting else "AccountingStorageType=accounting_storage/none"
        filled["storage"] = storage.format(**filled)
        self.write("slurm.conf", CONFIGURATION.format(**filled))
        self.write(
            "gres.conf", f"NodeName=gpu[1-2] Name=gpu Type=h100 File={self.folder}/dev/gpu[0-1]\n"
        )
        self.write("task_prolog", TASK_PROLOG.format(**filled), 0o755)
        self.write("bin/srun", SRUN.format(**filled), 0o755)
        self.write("bin/snakemake", SNAKEMAKE.format(python=sys.executable), 0o755)
        self.write("munge/key", os.urandom(512).hex(), 0o400)
        munge = self.folder / "munge"
        self.start(
            *("munged", "--force", "--foreground", f"--key-file={munge / 'key'}"),
            *(f"--socket={munge / 'socket'}", f"--pid-file={munge / 'pid'}"),
            *(f"--seed-file={munge / 'seed'}", f"--log-file={self.folder / 'log' / 'munged'}"),
        )
        self.wait_for("munge", "-S", munge / "socket", "-n")
        if self.accounting:
            self.write("slurmdbd.conf", DATABASE.format(**filled), 0o600)
            self.start_accounting(filled["ports"][4])
        self.start_controller()
        for node in NODES:
            self.start("slurmd", "-D", "-N", node, name=node)
        self.wait_for("sinfo", "-h", "-p", "gpu", "-o", "%D %t", says="2 idle")

    def start_controller(self):
        self.start("slurmctld", "-D")
        self.wait_for("scontrol", "ping", says="is UP")

    def restart_controller(self):
        self.daemons["slurmctld"].terminate()
        self.daemons["slurmctld"].wait()
        self.start_controller()

    def start_accounting(self, port):
        data, socket_file = self.folder / "database", self.folder / "mysql"
        subprocess.run(
            [
                *("mysql_install_db", "--no-defaults", "--user=root", f"--datadir={data}"),
                "--auth-root-authentication-method=socket",
            ],
            check=True,
            capture_output=True,
        )
        self.start(
            *("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}"),
            *(f"--socket={socket_file}", "--bind-address=127.0.0.1", f"--port={port}"),
            *(f"--pid-file={self.folder / 'mariadbd.pid'}", "--innodb-buffer-pool-size=32M"),
        )
        client = ("mysql", "--no-defaults", "-S", str(socket_file), "-e")
        self.wait_for(*client, "select 1")
        self(*client, GRANTS)
        self.start("slurmdbd", "-D")
        self.wait_for("sacctmgr", "--noheader", "show", "cluster")
        self("sacctmgr", "-i", "add", "cluster", "toy")
        self("sacctmgr", "-i", "add", "account", "lab", "cluster=toy")
        self("sacctmgr", "-i", "add", "user", "root", "account=lab", "cluster=toy")

    def write(self, name, text, mode=0o644):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)

    def down(self):
        """End all jobs, and then all that was started, the youngest first."""
        if "slurmctld" in self.daemons:
            with suppress(SlurmError):
                self("scancel", "--user=root")
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        # A process whose parent was killed before it is none of its job's any more: without cgroups
        # SLURM follows parents.
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (
                    f"SLURM_CONF={self.folder}/slurm.conf".encode()
                    in (process / "environ").read_bytes()
                ):
                    os.kill(int(process.name), signal.SIGKILL)


def missing_of_slurm(*programs):
    """Return why no SLURM can be started here; "" if one can."""
    if os.geteuid():
        return "SLURM's daemons are started as root"
    absent = [name for name in programs if not shutil.which(name)]
    return (
        f"{', '.join(absent)} not installed: sh scripts/slurm.sh does, on Debian" if absent else ""
    )


@contextmanager
def slurm_in(folder, *, accounting=False, min_job_age_s=300) -> Iterator[Slurm]:
    why = missing_of_slurm(*DAEMONS, *(OF_ACCOUNTING if accounting else ()))
    if why:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    cluster = Slurm(folder, accounting)
    try:
        cluster.up(min_job_age_s)
        yield cluster
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def a_slurm(tmp_path_factory):
    """Start a SLURM without accounting, once; each test has it with idle nodes."""
    with slurm_in(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture
def slurm(a_slurm, monkeypatch):
    """The cluster, all of its nodes up, found by all that is started."""
    for name, value in a_slurm.environment.items():
        monkeypatch.setenv(name, value)
    yield a_slurm
    a_slurm("scancel", "--user=root")
    for node in set(a_slurm("sinfo", "-h", "-N", "-t", "drain,down", "-o", "%N").split()):
        with suppress(SlurmError):  # a node may come back by itself
            a_slurm("scontrol", "update", f"nodename={node}", "state=resume")
    a_slurm.wait_for("sinfo", "-h", "-p", "gpu", "-o", "%D %t", says="2 idle")


@pytest.fixture
def forgetful_slurm(tmp_path_factory, monkeypatch):
    """Return another one, which keeps accounts, and no job in its queue once that has ended."""
    with slurm_in(tmp_path_factory.mktemp("slurm"), accounting=True, min_job_age_s=2) as cluster:
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        yield cluster


@pytest.fixture
def node_boards(fake_nvml):
    """Put two boards into each node, and none into the login node."""
    fake_nvml({}, {}, {}, {})
    boards = Path(os.environ["FAKE_NVML"])
    lines = boards.read_text().splitlines(keepends=True)
    for node, its in zip(NODES, (lines[:2], lines[2:]), strict=True):
        boards.with_name(f"boards.{node}").write_text("".join(its))
    boards.unlink()

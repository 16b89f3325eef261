"""A SLURM of one node on this machine, with accounting, that leaves nothing behind.

Keys, database, sockets, ports and logs are its own, in one folder: another munge or MariaDB of this machine is neither used
nor disturbed. Its configuration is linked from SLURM's usual place, because a job's step looks for it nowhere else (the
executor takes SLURM_CONF out of its environment); a machine with a SLURM of its own is therefore left alone.
"""

import ctypes
import os
import platform
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "slurmdbd", "mariadbd", "mariadb-install-db", "sbatch", "sacct")
SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
USUAL = Path("/etc/slurm")
ACCOUNT = "lab"
PARTITION = "small"
CPUS = 4
MEMORY_MB = 8000

SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={d_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill,UsePss
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd_port}
AccountingStoragePass={folder}/munge.socket
EnforcePartLimits=ALL
AccountingStorageEnforce=associations,limits
JobRequeue=1
KillWait=2
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=1,sched_interval=2,bf_interval=2
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/slurmd
SlurmdParameters=config_overrides
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_MB} State=UNKNOWN
PartitionName={partition} Nodes={host} Default=YES MaxTime=60 State=UP
"""

SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={dbd_port}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_accounting
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""


class NoCluster(RuntimeError):
    """Why there can be none here."""


@dataclass(frozen=True)
class Cluster:
    """A running one. environment: what its commands need beside the caller's own."""

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str) -> str:
        """What a command of SLURM says. Raises CalledProcessError."""
        return _run(command, self.environment)

    def jobs(self, name: str = "") -> list[dict[str, str]]:
        """All jobs that ended or run, as the accounting has them, oldest first."""
        columns = "JobID,State,Partition,Account,AllocCPUS,ReqMem,TimelimitRaw,Comment,WorkDir"
        listed = self.run(
            "sacct", "-X", "-P", "-n", "-D", "--starttime", "now-1days", "--format", columns, *(["--name", name] if name else [])
        )
        return [dict(zip(columns.split(","), line.split("|"), strict=True)) for line in listed.splitlines()]


def why_not() -> str | None:
    """The reason that no cluster can be brought up here, if there is one."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        return "a SLURM needs Linux and root"
    missing = [name for name in PROGRAMS if shutil.which(name, path=SEARCHED) is None]
    if missing:
        return f"no {', '.join(missing)}; apt-get install slurm-wlm slurmdbd munge mariadb-server"
    if (USUAL / "slurm.conf").exists() and not _abandoned(USUAL / "slurm.conf"):
        return f"this machine has a SLURM already, with {USUAL / 'slurm.conf'}"
    return None


@contextmanager
def one_node(folder: Path) -> Iterator[Cluster]:
    """A cluster that ends with the block, its jobs too. Raises NoCluster, with the end of the log that says why."""
    reason = why_not()
    if reason:
        raise NoCluster(reason)
    for name in ("ctld", "slurmd", "sql"):
        (folder / name).mkdir(parents=True)
    ctld_port, d_port, dbd_port, sql_port = _free_ports(4)
    names = {
        "host": platform.node().partition(".")[0], "folder": folder, "partition": PARTITION, "cpus": CPUS,
        "memory_MB": MEMORY_MB, "ctld_port": ctld_port, "d_port": d_port, "dbd_port": dbd_port, "sql_port": sql_port,
    }  # fmt: skip
    (folder / "slurm.conf").write_text(SLURM_CONF.format(**names))
    secret = folder / "slurmdbd.conf"
    secret.touch(mode=0o600)
    secret.write_text(SLURMDBD_CONF.format(**names))
    environment = os.environ | {"PATH": SEARCHED}
    with ExitStack() as stack:
        stack.enter_context(_linked(folder))

        def start(*command: str, ready: Callable[[], bool]) -> None:
            log = folder / f"{Path(command[0]).name}.out"
            stack.enter_context(_daemon(command, environment, log))
            _wait_for(ready, log)

        _start_munge(folder, start)
        _start_database(folder, sql_port, environment, start)
        start("slurmdbd", "-D", ready=lambda: _says(environment, "sacctmgr", "-n", "show", "cluster"))
        for entry in (("cluster", "test"), ("account", ACCOUNT), ("user", "root", f"account={ACCOUNT}")):
            _run(("sacctmgr", "--immediate", "--quiet", "add", *entry), environment)
        start("slurmctld", "-D", ready=lambda: _says(environment, "sinfo", "--noheader"))
        start("slurmd", "-D", ready=lambda: _says(environment, "sinfo", "--noheader", "--states=idle", "-o", "%n", word="."))
        try:
            yield Cluster(folder, environment)
        finally:
            _run(("scancel", "--user=root"), environment)
            _wait_for(lambda: not _says(environment, "squeue", "--noheader", word="."), folder / "slurmctld.log", 20)


@contextmanager
def _linked(folder: Path) -> Iterator[None]:
    """The configuration in its usual place, for as long as this process lives."""
    (folder / "owner").write_text(str(os.getpid()))
    made = not USUAL.exists()
    USUAL.mkdir(exist_ok=True)
    links = [USUAL / name for name in ("slurm.conf", "slurmdbd.conf")]
    for link in links:
        link.unlink(missing_ok=True)
        link.symlink_to(folder / link.name)
    try:
        yield
    finally:
        for link in links:
            link.unlink()
        if made:
            USUAL.rmdir()


def _abandoned(link: Path) -> bool:
    """Whether it was left by a test that was killed."""
    owner = link.resolve().parent / "owner"
    return link.is_symlink() and owner.is_file() and not psutil.pid_exists(int(owner.read_text()))


def _start_munge(folder: Path, start: Callable[..., None]) -> None:
    key = folder / "munge.key"
    key.touch(mode=0o400)
    key.write_bytes(os.urandom(128))
    files = {"key-file": key} | {f"{kind}-file": folder / f"munge.{kind}" for kind in ("pid", "log", "seed")}
    options = [f"--{name}={path}" for name, path in files.items()]
    ready = (folder / "munge.socket").exists
    # force: of folders above this one, such as /tmp, it asks more than a test can promise
    start("munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *options, ready=ready)


def _start_database(folder: Path, port: int, environment: dict[str, str], start: Callable[..., None]) -> None:
    data, connection = f"--datadir={folder}/sql", f"--socket={folder}/sql.socket"
    _run(("mariadb-install-db", "--no-defaults", data, "--user=root", "--skip-test-db"), environment)
    client = ("mariadb", "--no-defaults", connection)
    start(
        "mariadbd", "--no-defaults", data, connection, "--user=root", "--bind-address=127.0.0.1", f"--port={port}",
        f"--pid-file={folder}/sql.pid", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0",
        ready=lambda: _says(environment, *client, "-e", "select 1"),
    )  # fmt: skip
    for statement in ("create user slurm@'127.0.0.1' identified by 'slurm'", "grant all on *.* to slurm@'127.0.0.1'"):
        _run((*client, "-e", statement), environment)


@contextmanager
def _daemon(command: tuple[str, ...], environment: dict[str, str], log: Path) -> Iterator[None]:
    program = shutil.which(command[0], path=SEARCHED)
    assert program is not None
    with (
        log.open("w") as stream,
        subprocess.Popen(
            [program, *command[1:]], env=environment, stdout=stream, stderr=stream, preexec_fn=_die_with_parent
        ) as process,
    ):  # fmt: skip
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1  # <linux/prctl.h>
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def _run(command: tuple[str, ...], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout


def _says(environment: dict[str, str], *command: str, word: str = "") -> bool:
    """Whether the command succeeds, and says something if `word` is given."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0 and (not word or bool(done.stdout.strip()))


def _wait_for(ready: Callable[[], bool], log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise NoCluster(f"{log.stem} did not start: {log.read_text()[-500:]}")
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]

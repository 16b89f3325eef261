"""The folder that a study runs in: one workflow at a time, no leftovers, and no job that outlives its workflow.

Jobs on another machine than their workflow's (a cluster's) do outlive it, until the next workflow claims the folder.

The lock is the kernel's (flock): it ends with the process that holds it, however that dies, so that it is never stale.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import select
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from gradevo.files import ASIDE, why_not_written

STATE = Path(".gradevo")
"""Beside the Snakefile: the lock, and the finished fits of unfinished jobs."""

WORKFLOW = "GRADEVO_WORKFLOW"
"""Environment variable that tells a job its workflow: process id, when that process started, and the machine."""

_POLL_S = 1.0
_FAR_POLL_S = 5.0
_held: list[int] = []


class FolderBusy(RuntimeError):
    """Another workflow is at work in the folder."""


def check_writable(folder: str | Path = ".") -> None:
    """Raises OSError naming the folder and the way out, where nothing can be written."""
    probe = Path(folder) / STATE / f"probe.{os.getpid()}"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"0")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, f"cannot write in {Path(folder).resolve()}: {why_not_written(error)}") from None


def claim(folder: str | Path = ".") -> None:
    """Make this process the only workflow of the folder, until it ends; its jobs will know it by their environment.

    Raises FolderBusy naming the other one, or OSError where nothing can be written.
    """
    check_writable(folder)
    handle = os.open(Path(folder) / STATE / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 1000).decode(errors="replace").partition("\n")[0].strip() or "it has not said which"
        os.close(handle)
        raise FolderBusy(
            f"another run is at work in {Path(folder).resolve()} ({holder}); wait until it has ended, or end it. "
            "For two studies at once, clone into a second folder"
        ) from None
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    os.ftruncate(handle, 0)
    os.environ[WORKFLOW] = f"{os.getpid()} {_born(os.getpid())} {platform.node()}"
    os.pwrite(handle, f"process {os.getpid()} on {platform.node()}, since {started}\n{os.environ[WORKFLOW]}\n".encode(), 0)
    _held.append(handle)


def sweep(*folders: str | Path) -> None:
    """Remove what killed processes left half-written in these folders. Only for the holder of the lock."""
    for folder in map(Path, folders):
        for path in folder.rglob(f".*{ASIDE}*"):
            path.unlink(missing_ok=True)


def take_cores(count: int, folder: str | Path = ".") -> None:
    """Bind this process to ``count`` cores that no other job of this machine in this folder has taken; it waits until as many are
    free. They are given back when the process ends, however that dies. Nothing happens where it has no more cores than that."""
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) <= count:
        return
    (Path(folder) / STATE).mkdir(parents=True, exist_ok=True)
    mine: dict[int, int] = {}
    while True:
        for core in allowed:
            if core not in mine and len(mine) < count:
                handle = os.open(Path(folder) / STATE / f"core.{platform.node()}.{core}", os.O_RDWR | os.O_CREAT, 0o666)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    mine[core] = handle
                except BlockingIOError:
                    os.close(handle)
        if len(mine) == count:
            break
        # nobody holds a part of what it needs while it waits
        for handle in mine.values():
            os.close(handle)
        mine.clear()
        time.sleep(_POLL_S)
    _held.extend(mine.values())
    os.sched_setaffinity(0, mine)


def end_with_workflow() -> None:
    """From now on this process dies (SIGKILL) as soon as its workflow does. Nothing happens outside a workflow.

    On another machine than the workflow's, which cannot see it end, it goes on until another workflow claims the folder:
    what it has finished by then is taken over, and nothing is made twice.
    """
    workflow = os.environ.get(WORKFLOW, "")
    number, _, rest = workflow.partition(" ")
    born, _, host = rest.partition(" ")
    if host == platform.node():
        threading.Thread(target=_end_with, args=(int(number), born), daemon=True, name="end_with_workflow").start()
    elif host:
        threading.Thread(target=_end_with_next, args=(workflow,), daemon=True, name="end_with_next_workflow").start()


def end_with_parent(parent: int) -> None:
    """In a forked child: from now on it dies (SIGKILL) as soon as its parent does."""
    if platform.system() == "Linux":
        pr_set_pdeathsig = 1  # <linux/prctl.h>
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:  # it died before
            os.kill(os.getpid(), signal.SIGKILL)
    else:
        threading.Thread(target=_end_with, args=(parent, _born(parent)), daemon=True, name="end_with_parent").start()


def _end_with(process: int, born: str) -> None:
    if hasattr(os, "pidfd_open"):
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(process)
            # only now is it certain that the number is still the process's that was meant
            if _born(process) == born:
                select.select([handle], [], [])
    else:
        while _born(process) == born:
            time.sleep(_POLL_S)
    os.kill(os.getpid(), signal.SIGKILL)


def _end_with_next(workflow: str, folder: str | Path = ".") -> None:
    lock = (Path(folder) / STATE / "lock").resolve()
    while True:
        with suppress(OSError):  # of a network's file system, now and then
            holder = lock.read_text().partition("\n")[2].strip()
            if holder and holder != workflow:
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(_FAR_POLL_S)


def _born(process: int) -> str:
    """When the process started; tells it from a later one with the same number. Empty if there is none.

    On Linux in clock ticks since boot: seconds since the epoch would move with the clock.
    """
    try:
        if platform.system() == "Linux":
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{psutil.Process(process).create_time():.2f}"
    except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
        return ""

"""The folder that a study runs in: its lock, what is swept from it, and what ends with the workflow."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradevo.files import write_aside
from gradevo.workplace import STATE, WORKFLOW, FolderBusy, check_writable, claim, sweep

CLAIM = "import time; from gradevo.workplace import claim; claim(); print('claimed', flush=True); time.sleep(100)"


def start(code: str, **options) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **options)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.fixture
def holder(tmp_path):
    with start(CLAIM, cwd=tmp_path) as process:
        yield process
        process.kill()


def test_a_second_run_is_refused_and_told_of_the_first(holder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(WORKFLOW, "")
    with pytest.raises(FolderBusy, match=rf"another run .*process {holder.pid} on .*wait until it has ended"):
        claim()
    # killed, it holds nothing any more
    holder.kill()
    holder.wait()
    claim()
    assert str(os.getpid()) in (tmp_path / STATE / "lock").read_text()


def test_a_job_dies_with_its_workflow(tmp_path):
    """Whose process is not its parent: a shell, in an own session here, stands between the two."""
    job = (
        "import time; from gradevo.workplace import end_with_workflow; end_with_workflow(); "
        "print('up', flush=True); time.sleep(100)"
    )
    workflow = f"""
import subprocess, sys, time
from gradevo.workplace import claim
claim()
job = subprocess.Popen([sys.executable, "-c", {job!r}], stdout=subprocess.PIPE, text=True, start_new_session=True)
job.stdout.readline()
print(job.pid, flush=True)
time.sleep(100)
"""
    with subprocess.Popen([sys.executable, "-c", workflow], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert alive(pid)
        process.kill()
        end = time.monotonic() + 5
        while alive(pid) and time.monotonic() < end:
            time.sleep(0.01)
        assert not alive(pid)


def test_a_job_on_another_machine_goes_on_until_another_workflow_claims_the_folder(tmp_path):
    (tmp_path / STATE).mkdir()
    mine = "1 2 login"
    (tmp_path / STATE / "lock").write_text(f"process 1 on login\n{mine}\n")
    job = (
        "import time; from gradevo import workplace; workplace._FAR_POLL_S = 0.05; workplace.end_with_workflow(); "
        "print('up', flush=True); time.sleep(100)"
    )
    with start(job, cwd=tmp_path, env=os.environ | {WORKFLOW: mine}) as process:
        time.sleep(0.5)
        assert process.poll() is None
        with start(CLAIM, cwd=tmp_path) as next_workflow:
            assert process.wait(timeout=10) < 0
            next_workflow.kill()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_job_of_a_workflow_that_is_gone_does_not_begin(tmp_path):
    code = "from gradevo.workplace import end_with_workflow; end_with_workflow(); import time; time.sleep(10)"
    gone = f"{os.getpid()} 1 {os.uname().nodename}"  # born at another time: not this process
    run = subprocess.run([sys.executable, "-c", code], env=os.environ | {WORKFLOW: gone}, timeout=9, check=False)
    assert run.returncode == -9
    # on another machine, and outside a workflow, a job is left alone
    quick = code.replace("sleep(10)", "sleep(0.2)")
    for value in ("1 1 elsewhere", ""):
        # in a folder that no workflow has claimed since: there, it would have to end
        run = subprocess.run([sys.executable, "-c", quick], cwd=tmp_path, env=os.environ | {WORKFLOW: value}, check=False)
        assert run.returncode == 0


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_jobs_take_cores_of_their_own_and_give_them_back(tmp_path):
    code = "from gradevo.workplace import take_cores; take_cores(1); import os, sys, time; print(os.sched_getaffinity(0)); "
    two = sorted(os.sched_getaffinity(0))[:2]
    held = f"import os; os.sched_setaffinity(0, {two}); {code}sys.stdout.flush(); time.sleep(60)"
    jobs = [subprocess.Popen([sys.executable, "-c", held], cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    taken = [job.stdout.readline().strip() for job in jobs if job.stdout]
    assert sorted(taken) == [str({core}) for core in two]
    # a third waits until one of them is gone, however it went
    third = subprocess.Popen([sys.executable, "-c", held], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        third.wait(timeout=2)
    jobs[0].kill()
    assert third.stdout
    assert third.stdout.readline().strip() == taken[0]
    for job in (third, jobs[0], jobs[1]):
        job.kill()
        job.wait()


def test_half_written_files_never_have_the_name_and_are_swept(tmp_path):
    code = (
        "import os; from gradevo.files import write_aside\n"
        "def half(path):\n    path.write_text('half')\n    os.kill(os.getpid(), 9)\n"
        "write_aside('results/table.csv', half)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert not (tmp_path / "results/table.csv").exists()
    assert len(list((tmp_path / "results").iterdir())) == 1
    write_aside(tmp_path / "results/.hidden.csv", lambda path: path.write_text("whole"))
    sweep(tmp_path / "results", tmp_path / "absent")
    assert [path.name for path in (tmp_path / "results").iterdir()] == [".hidden.csv"]


def test_a_full_disk_is_named_with_the_way_out(tmp_path):
    def full(path):
        Path("/dev/full").write_bytes(b"0" * 8192)

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match=r"cannot write .*a\.csv: the disk is full; free some space, then run the same command"):
        write_aside(tmp_path / "a.csv", full)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path):
    check_writable(tmp_path)
    assert list((tmp_path / STATE).iterdir()) == []


def test_every_script_of_the_workflow_ends_with_it():
    scripts = list((Path(__file__).parents[1] / "workflow/scripts").glob("*.py"))
    assert scripts
    for script in scripts:
        # before the imports that take seconds
        body = script.read_text().partition('"""\n\n')[2]
        assert body.startswith("from gradevo.workplace import end_with_workflow\n\nend_with_workflow()\n"), script

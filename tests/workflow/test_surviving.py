"""A study that is killed, started twice, or without room to write. Each for real, in a copy of the repository."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest

from gradevo import fit_rows, study
from gradevo.simulate import warm_up
from tests.workflow.running import CONFIG, command, copy_of_repository, environment, snakemake, start_snakemake, write_config

METHOD = "genetic"
KILLED = CONFIG | {"methods": {METHOD: {"population": 16}}, "seeds": [0, 1, 2]}

# Appended to the method in the copy: every fit leaves a file begun.N, and the one that the file "hold" names waits there.
HOLD = """

_run = run


def run(problem, meter, rng, **settings):
    import time
    from pathlib import Path

    if problem.name != "warm_up":
        number = len(list(Path().glob("begun.*")))
        Path(f"begun.{number}").write_text("")
        while Path("hold").exists() and Path("hold").read_text() == str(number):
            time.sleep(0.05)
    return _run(problem, meter, rng, **settings)
"""


@pytest.fixture(scope="module")
def kernels() -> None:
    """Compiled once, here, in the cache that all processes share: a test's own processes would each wait for it."""
    warm_up(study.make_problem(KILLED, "pair_all_all").neuron)


@pytest.fixture
def folder(tmp_path: Path, kernels: None) -> Path:
    folder = copy_of_repository(tmp_path)
    write_config(folder, KILLED)
    with (folder / f"src/gradevo/methods/{METHOD}.py").open("a") as method:
        method.write(HOLD)
    # figures, the table and its statistics take most of a run's time, and are not the matter here
    rules = folder / "workflow/rules/figures.smk"
    assert "table=rules.table.output," in rules.read_text()
    rules.write_text(rules.read_text().replace("table=rules.table.output,", "table=[],"))
    return folder


CHECK = "results/tiny/all_fits_ran"
"""The last job of a study."""


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def at_work(folder: Path) -> list[psutil.Process]:
    """Live processes whose working directory is the folder: Snakemake, its shells, its jobs and their fits."""
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        if process.info["cwd"] == str(folder) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def begun(folder: Path) -> int:
    return len(list(folder.glob("begun.*")))


def undisturbed() -> pd.DataFrame:
    """The study's summary, computed here."""
    problem = study.make_problem(KILLED, "pair_all_all")
    return pd.DataFrame(
        [fit_rows.summary_row(KILLED, problem, study.run_fit(KILLED, problem, METHOD, seed)) for seed in KILLED["seeds"]]
    )


def assert_same_but_for_times(one: pd.DataFrame, two: pd.DataFrame) -> None:
    columns = [c for c in one if c in two and not c.startswith(("wall_s", "cpu_s", "compile_s"))]
    assert len(columns) > 10
    pd.testing.assert_frame_equal(one.loc[:, columns], two.loc[:, columns], check_exact=True)


def test_killed_three_times_nothing_is_lost_or_counted_twice(folder: Path) -> None:
    log = folder / "log.txt"
    hold = folder / "hold"

    # 1. SIGKILL to the workflow while it makes the targets
    first = start_snakemake(folder, log, CHECK)
    wait_for(lambda: (folder / "logs/tiny").exists() or len(at_work(folder)) > 1 or first.poll() is not None)
    first.kill()
    first.wait()
    wait_for(lambda: not at_work(folder), 10)

    # 2. SIGKILL to the workflow in the second fit, after the first was finished
    hold.write_text("1")
    second = start_snakemake(folder, log, CHECK)
    wait_for(lambda: begun(folder) == 2 or second.poll() is not None)
    assert second.poll() is None, log.read_text()
    kept = list((folder / ".gradevo/fits/tiny").glob("*.json"))
    assert len(kept) == 1
    #    meanwhile another run in the same folder is refused, and a dry run is not
    other = snakemake(folder, CHECK)
    assert other.returncode != 0
    assert f"another run is at work in {folder} (process {second.pid} on " in other.stdout
    assert "Traceback" not in other.stdout
    assert snakemake(folder, CHECK, "--dry-run").returncode == 0
    assert begun(folder) == 2
    second.kill()
    second.wait()
    wait_for(lambda: not at_work(folder), 10)
    assert not (folder / "results/tiny/summary.csv").exists()

    # 3. the same command again; SIGKILL to the process of one fit, which becomes a row while the others go on
    hold.write_text("2")
    third = start_snakemake(folder, log, CHECK)
    wait_for(lambda: begun(folder) == 3 or third.poll() is not None)
    assert third.poll() is None, log.read_text()
    fit = next(process for process in at_work(folder) if not process.children() and "python" in process.name())
    fit.kill()
    assert third.wait(timeout=200) != 0
    assert "seed 0: finished before, taken over" in log.read_text()
    assert "1 fits ended with status error" in log.read_text()
    rows = pd.read_csv(folder / "results/tiny/summary.csv")
    assert list(rows["seed"]) == [0, 1, 2]
    assert list(rows["status"] == "error") == [False, True, False]
    assert list(rows["message"])[1].startswith("its process was ended by SIGKILL")
    assert begun(folder) == 4

    # 4. the same command again: only that fit is made again
    hold.unlink()
    last = snakemake(folder, CHECK)
    assert last.returncode == 0, last.stdout
    assert begun(folder) == 5
    rows = pd.read_csv(folder / "results/tiny/summary.csv")
    assert_same_but_for_times(rows, undisturbed())
    histories = pd.read_parquet(folder / "results/tiny/histories.parquet")
    assert not histories.duplicated(["problem", "method", "seed", "event"]).any()
    assert not (folder / ".gradevo/fits/tiny").exists()
    assert not list((folder / "results").rglob(".*"))
    assert "Nothing to be done" in snakemake(folder, CHECK).stdout


def mounted(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A shell script in a mount namespace of its own, where it may mount what it likes; $1 is the folder."""
    unshare = shutil.which("unshare")
    options = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    if unshare is None or subprocess.run([unshare, *options, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs to mount, as root or in a user namespace, and may not")
    return subprocess.run(
        [unshare, *options, "bash", "-euc", script, "bash", str(folder)], cwd=folder, env=environment(folder),
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200, check=False,
    )  # fmt: skip


def test_a_read_only_folder_is_named(folder: Path) -> None:
    run = mounted(f"mount --bind $1 $1; mount -o remount,ro,bind $1; cd $1; {' '.join(command())} || exit 7", folder)
    assert run.returncode == 7, run.stdout
    assert f"cannot write in {folder}: the file system is read-only; work in a folder that can be written" in run.stdout
    assert "Traceback" not in run.stdout
    fit = f"{sys.executable} -m gradevo.cli fit config/tiny.yaml pair_all_all genetic --out x.parquet"
    run = mounted(f"mount --bind $1 $1; mount -o remount,ro,bind $1; cd $1; {fit} || exit 7", folder)
    assert run.returncode == 7
    assert run.stdout.startswith("gradevo: cannot write x.probe: the file system is read-only")


def test_a_full_disk_is_named_and_the_same_command_goes_on(folder: Path) -> None:
    (folder / "results").mkdir()
    snake = " ".join(command("results/tiny/targets/pair_all_all.npz"))
    run = mounted(
        "mount -t tmpfs -o size=1m tmpfs $1/results; head -c 2M /dev/zero > $1/results/ballast || true; cd $1;"
        f"{snake} && exit 8; rm results/ballast; {snake}; cp results/tiny/targets/*.npz .",
        folder,
    )
    assert run.returncode == 0, run.stdout
    assert "the disk is full; free some space, then run the same command again" in run.stdout
    assert study.read_arrays(folder / "pair_all_all.npz")["target_mV"].shape == (3, 31, 2)

"""Studies through SLURM itself: a cluster of one node, brought up here for these tests."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from tests.slurm.cluster import ACCOUNT, PARTITION, Cluster, NoCluster, one_node, why_not
from tests.workflow.running import CONFIG, command, copy_of_repository, environment, snakemake, write_config

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

CHECK = "results/tiny/all_fits_ran"
"""The last job of a study; figures are not the matter here."""

SECONDS = 400
"""Longer than anything takes."""

STUDY = CONFIG | {"wall_limit_s": 60, "methods": {"genetic": {"population": 16}, "sobol": {}}}

# Appended to the method in the copy. On a cluster, seed 0 wants 0.8 GB; seed 1 waits while there is a file "hold", then wants
# more than any job has.
TROUBLE = """

_run = run


def run(problem, meter, rng, **settings):
    import os
    import time
    from pathlib import Path

    import numpy as np

    seed = rng.bit_generator.seed_seq.entropy
    if problem.name != "warm_up" and "SLURM_JOB_ID" in os.environ:
        Path(f"begun.{seed}.{time.time_ns()}").write_text("")
        while seed == 1 and Path("hold").exists():
            time.sleep(0.1)
        hoard = []
        while len(hoard) < (50 if seed == 1 else 8):
            hoard.append(np.ones(12_500_000))  # 100 MB
            time.sleep(0.05)
    return _run(problem, meter, rng, **settings)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    try:
        with one_node(tmp_path_factory.mktemp("slurm")) as up:
            yield up
    except NoCluster as reason:
        pytest.skip(str(reason))


def study_folder(folder: Path) -> Path:
    """The repository with a tiny study, and the profile adapted to the cluster as docs/cluster.md says."""
    copy_of_repository(folder)
    write_config(folder, STUDY)
    with (folder / "src/gradevo/methods/sobol.py").open("a") as method:
        method.write(TROUBLE)
    rules = folder / "workflow/rules/figures.smk"
    rules.write_text(rules.read_text().replace("figures=rules.figures.input,", "figures=[],"))
    path = folder / "profiles/slurm/config.yaml"
    profile = yaml.safe_load(path.read_text())
    profile["default-resources"] |= {"slurm_partition": f"'{PARTITION}'", "slurm_account": f"'{ACCOUNT}'"}
    profile["default-resources"] |= {"mem_mb": 1200, "runtime": 10}
    profile["set-threads"] = {"fit": 2}
    profile["set-resources"]["fit"]["mem_mb"] = "1200 * min(attempt, 3)"
    profile |= {"slurm-init-seconds-before-status-checks": 2, "seconds-between-status-checks": 2, "latency-wait": 5}
    path.write_text(yaml.safe_dump(profile))
    return folder


@contextmanager
def on_cluster(cluster: Cluster, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`snakemake --workflow-profile profiles/slurm`, begun; what it says goes to log.txt. It does not outlive the block."""
    run = [*command()[:3], "--configfile", "config/tiny.yaml", "--workflow-profile", "profiles/slurm", CHECK]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            run, cwd=folder, env=cluster.environment | environment(folder), stdout=log, stderr=log, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            for left in psutil.process_iter(["cwd"]):
                if left.info["cwd"] == str(folder):
                    left.kill()


def same_but_for_times(one: pd.DataFrame, two: pd.DataFrame) -> None:
    columns = [name for name in one if not str(name).startswith(("wall_s", "cpu_s", "compile_s"))]
    assert len(columns) > 5
    pd.testing.assert_frame_equal(one.loc[:, columns], two.loc[:, columns], check_exact=True)


@dataclass(frozen=True)
class Study:
    """One that ran here, and on the cluster: that one's folder, what it said, its exit status, and its jobs as the accounting
    has them."""

    here: Path
    folder: Path
    said: str
    status: int
    jobs: list[dict[str, str]]

    def of_fits(self) -> list[dict[str, str]]:
        return [job for job in self.jobs if job["AllocCPUS"] == "2"]

    def fits_said(self, method: str) -> list[str]:
        """What the last job's log says of the method's fits, from the seed on."""
        lines = (self.folder / f"logs/tiny/fits/pair_all_all__{method}.log").read_text().splitlines()
        return [line.partition("seed ")[2] for line in lines]

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / f"results/tiny/{name}.parquet")


@pytest.fixture(scope="module")
def study(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder, here = (study_folder(tmp_path_factory.mktemp(name)) for name in ("study", "here"))
    (folder / "hold").touch()
    with on_cluster(cluster, folder) as run:
        # preempted in its last fit, the job begins again; then it is cancelled by hand
        wait_for(lambda: begun(folder, 1) == 1, run)
        cluster.run("scontrol", "requeue", running(cluster))
        wait_for(lambda: begun(folder, 1) == 2, run)
        cluster.run("scancel", running(cluster))
        (folder / "hold").unlink()
        # meanwhile, the same on this machine: the cluster's time is mostly waiting
        local = snakemake(here, CHECK)
        assert local.returncode == 0, local.stdout
        status = run.wait(timeout=SECONDS)
    return Study(here, folder, (folder / "log.txt").read_text(), status, cluster.jobs())


def begun(folder: Path, seed: int) -> int:
    return len(list(folder.glob(f"begun.{seed}.*")))


def wait_for(condition: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        assert running.poll() is None, "it ended"
        time.sleep(0.2)


def running(cluster: Cluster) -> str:
    (job,) = [job for job in cluster.jobs() if job["State"] == "RUNNING"]
    return job["JobID"]


def test_its_tables_are_those_of_a_run_on_this_machine(study: Study) -> None:
    for name in ("summary", "histories", "densities"):
        one, two = pd.read_parquet(study.here / f"results/tiny/{name}.parquet"), study.table(name)
        # but for the fit that found no job large enough
        one, two = (table[(table["method"] != "sobol") | (table["seed"] != 1)].reset_index(drop=True) for table in (one, two))
        same_but_for_times(one, two)


def test_its_jobs_ran_there_as_the_profile_says(study: Study) -> None:
    assert {(job["Partition"], job["Account"]) for job in study.jobs} == {(PARTITION, ACCOUNT)}
    fits = study.of_fits()
    assert [job["State"].split()[0] for job in fits] == ["REQUEUED", "CANCELLED", "FAILED", "COMPLETED"]
    assert [job["ReqMem"] for job in fits] == ["1200M", "1200M", "2400M", "3600M"]
    # two methods of two seeds, each at most a minute for the fit and one more
    assert {int(job["TimelimitRaw"]) for job in fits} == {2 * (5 + 4)}
    others = [job for job in study.jobs if job not in fits]
    assert {job["State"] for job in others} == {"COMPLETED"}
    # targets; summary and statistics together
    assert len(others) == 2


def test_what_was_finished_is_taken_over_by_the_jobs_after(study: Study) -> None:
    sobol, genetic = (study.fits_said(method) for method in ("sobol", "genetic"))
    assert sobol[0] == "0: finished before, taken over"
    assert sobol[1].startswith("1: error")
    # twice in the job that was preempted, and in the next, where it had the memory that it wants; not in the last
    assert begun(study.folder, 0) == 3
    # Snakemake chooses which method of a job is first: the other one never had its turn in a job that ended early
    over = [line.endswith("finished before, taken over") for line in genetic]
    assert over in ([True, True], [False, False]), genetic


def test_a_fit_that_finds_no_job_large_enough_is_a_row(study: Study) -> None:
    assert study.status == 1
    # told once: the last job is not tried again
    assert study.said.count("1 fits ended with status error") == 1
    summary = study.table("summary").set_index(["method", "seed"])
    assert list(summary["status"] == "error") == [False, False, False, True]
    message = summary.loc[("sobol", 1), "message"]
    assert message.startswith("its process was ended by want of memory: it held 3")
    assert message.endswith("MB in a job of 3600 MB")

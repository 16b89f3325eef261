"""One job of the workflow: all seeds of a method on a problem, and what it takes over from a job that was killed."""

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from gradevo import study
from gradevo.apart import JOB_OVERHEAD_MB
from gradevo.fit_job import run_seeds
from gradevo.kept import CLUSTER_JOB, KILLED, conclude_study, fit_key, forget, jobs_before, kept_folder
from gradevo.methods import genetic
from gradevo.result import Status, read_result
from gradevo.workplace import WORKFLOW
from tests.fitting import toy_config


def config(**changes) -> dict:
    return toy_config() | {"budget_equivalents": 300, "seeds": [0, 1]} | changes


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADEVO_THREADS", "1")
    study.write_arrays("targets.npz", study.make_targets(config(), "toy"))
    return tmp_path


def install(monkeypatch: pytest.MonkeyPatch, end=lambda: None) -> None:
    """The genetic algorithm, which notes in a file that it was begun, once per fit."""

    def run(problem, meter, rng, **settings):
        if problem.name == "warm_up":
            end()
        else:
            with Path("begun").open("a") as notes:
                notes.write("x")
        return genetic.run(problem, meter, rng, **settings)

    monkeypatch.setitem(sys.modules, "gradevo.methods.genetic", SimpleNamespace(run=run))


def begun() -> int:
    return len(Path("begun").read_text())


def files(seeds=(0, 1)) -> dict[int, tuple[str, str]]:
    return {s: (f"fits/toy__genetic__s{s}.parquet", f"fits/toy__genetic__s{s}.json") for s in seeds}


def job(**changes) -> list:
    run_seeds(config(**changes), "toy", "genetic", "targets.npz", files())
    return [read_result(*paths) for paths in files().values()]


def summary(results) -> pd.DataFrame:
    return pd.DataFrame([{k: r.totals[k] for k in ("problem", "method", "seed")} | {"message": r.message} for r in results])


def test_what_was_finished_is_taken_over_once_and_whole(folder, monkeypatch, capfd):
    install(monkeypatch)
    first = job()
    assert begun() == 2
    # Snakemake deletes the files of an unfinished job; a kept fit that is only half there is not a fit
    for paths in files().values():
        for path in paths:
            Path(path).unlink()
    half = fit_key(config(), "toy", "genetic", 1, "targets.npz", threads=1)
    (kept_folder("test") / f"{half}.json").unlink()
    again = job()
    assert begun() == 3
    assert "seed 0: finished before, taken over" in capfd.readouterr().out
    assert [r.best_loss for r in again] == [r.best_loss for r in first]
    pd.testing.assert_frame_equal(again[0].history, first[0].history)


@pytest.mark.parametrize(
    "changes", [{"budget_equivalents": 301}, {"methods": {"genetic": {"population": 8}}}, {"wall_limit_s": 99}]
)
def test_another_fit_is_not_taken_over(folder, monkeypatch, changes):
    install(monkeypatch)
    job()
    job(**changes)
    assert begun() == 4


def test_after_the_study_nothing_is_taken_over(folder, monkeypatch):
    install(monkeypatch)
    conclude_study("test", summary(job()), "fits")
    assert not kept_folder("test").exists()
    assert all(Path(path).exists() for paths in files().values() for path in paths)
    job()
    assert begun() == 4


def test_a_killed_fit_is_a_row_and_left_to_the_next_run(folder, monkeypatch):
    def run(problem, meter, rng, **settings):
        with Path("begun").open("a") as notes:
            notes.write("x" if problem.name != "warm_up" else "")
        if begun() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return genetic.run(problem, meter, rng, **settings)

    monkeypatch.setitem(sys.modules, "gradevo.methods.genetic", SimpleNamespace(run=run))
    results = job()
    assert [r.status for r in results] == [Status.error, Status.budget]
    conclude_study("test", summary(results), "fits")
    assert sorted(path.name for path in Path("fits").iterdir()) == ["toy__genetic__s1.json", "toy__genetic__s1.parquet"]
    again = job()
    assert [r.status for r in again] == [Status.budget, Status.budget]
    assert begun() == 3


def test_a_method_that_dies_warming_up_still_gives_rows(folder, monkeypatch, capfd):
    install(monkeypatch, end=lambda: os.kill(os.getpid(), signal.SIGKILL))
    results = job()
    assert "warming up failed: its process was ended by SIGKILL" in capfd.readouterr().out
    assert [r.status for r in results] == [Status.budget, Status.budget]
    assert begun() == 2


def test_files_that_cannot_be_written_end_the_job_with_the_reason(folder, capfd):
    Path("fits").write_text("a file where the folder should be")
    with pytest.raises(SystemExit):
        run_seeds(config(), "toy", "genetic", "targets.npz", files())
    assert "toy genetic: cannot write fits/toy__genetic__s0.parquet" in capfd.readouterr().err


def cluster_job(monkeypatch, number: int, memory_MB: float = 1e6, attempt: int = 1) -> list[str]:
    """One of the jobs that a workflow gives a cluster; what it leaves to the next."""
    monkeypatch.setenv(WORKFLOW, "1 2 login")
    monkeypatch.setenv(CLUSTER_JOB, str(number))
    try:
        run_seeds(config(), "toy", "genetic", "targets.npz", files(), job_memory_MB=memory_MB, attempt=attempt)
    except SystemExit:
        return [f"s{seed}" for seed, (history, _) in files().items() if not Path(history).exists()]
    return []


def test_a_fit_too_large_for_its_job_is_left_to_a_larger_one_and_in_the_third_a_row(folder, monkeypatch):
    install(monkeypatch)
    # in the first, nothing fits; in the second, everything
    assert cluster_job(monkeypatch, 1, memory_MB=JOB_OVERHEAD_MB + 1) == ["s0", "s1"]
    assert cluster_job(monkeypatch, 2) == []
    assert all(read_result(*paths).status != Status.error for paths in files().values())

    forget(kept_folder("test"))
    for history, rest in files().values():
        Path(history).unlink()
        Path(rest).unlink()
    for number in (3, 4):
        assert cluster_job(monkeypatch, number, memory_MB=JOB_OVERHEAD_MB + 1) == ["s0", "s1"]
    assert cluster_job(monkeypatch, 5, memory_MB=JOB_OVERHEAD_MB + 1) == []
    for result in (read_result(*paths) for paths in files().values()):
        assert result.status == Status.error
        assert result.message.startswith(f"{KILLED} want of memory: it held")
        assert result.message.endswith(f"in a job of {JOB_OVERHEAD_MB + 1:g} MB")


def test_where_memory_grows_no_more_a_fit_that_is_too_large_holds_up_no_other(folder, monkeypatch):
    """Several fits of one job: those after one that failed are first begun in a late attempt."""
    install(monkeypatch)
    assert cluster_job(monkeypatch, 3, memory_MB=JOB_OVERHEAD_MB + 1, attempt=3) == []
    assert [read_result(*paths).status for paths in files().values()] == [Status.error, Status.error]
    # likewise one with which a late job died
    for history, rest in files().values():
        Path(history).unlink()
        Path(rest).unlink()
    monkeypatch.setenv(CLUSTER_JOB, "4")
    assert jobs_before(kept_folder("test"), "toy__genetic__s1__0") == 1  # the job before, which made it a row
    assert cluster_job(monkeypatch, 5, attempt=5) == []
    assert [read_result(*paths).status == Status.error for paths in files().values()] == [True, True]


def test_a_fit_with_which_three_jobs_died_is_given_up_and_the_others_go_on(folder, monkeypatch):
    install(monkeypatch)
    place, key = kept_folder("test"), "toy__genetic__s1__0"
    monkeypatch.setenv(WORKFLOW, "1 2 login")
    for number in (1, 2, 3):
        monkeypatch.setenv(CLUSTER_JOB, str(number))
        assert jobs_before(place, key) == number - 1
        # preempted and begun again, it is the same job
        assert jobs_before(place, key) == number - 1
    assert cluster_job(monkeypatch, 4) == []
    first, second = (read_result(*paths) for paths in files().values())
    assert first.status != Status.error
    assert second.status == Status.error
    assert second.message.startswith(f"{KILLED} the end of its job (3 jobs)")
    # to the next workflow these jobs are nothing
    monkeypatch.setenv(WORKFLOW, "3 4 login")
    assert jobs_before(place, key) == 0


def test_on_a_cluster_another_nodes_fit_is_taken_over(folder, monkeypatch):
    install(monkeypatch)
    here = job()
    place = kept_folder("test")
    for path in place.iterdir():  # as if made by another machine
        path.rename(path.with_name(f"{path.stem[:-16]}{'0' * 16}{path.suffix}"))
    assert cluster_job(monkeypatch, 1) == []
    assert begun() == 2
    assert [read_result(*paths).best_loss for paths in files().values()] == [result.best_loss for result in here]

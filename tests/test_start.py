"""What a process loads, and so waits for, before its first evaluation."""

import subprocess
import sys
import time

import pytest

import gradevo


def loaded(code: str) -> set[str]:
    """The modules that a new process has loaded after running the code."""
    script = f"{code}\nimport sys\nprint('loaded:', *sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(run.stdout.rpartition("loaded:")[2].split())


FIRST_FIT = """
from tests.fitting import toy_config
from gradevo.fit_job import _warm_up
from gradevo.study import make_problem
assert _warm_up(toy_config(), make_problem(toy_config(), "toy"), "{}") > 0
"""


def test_the_package_loads_nothing():
    heavy = {"numpy", "scipy", "pandas", "pyarrow", "torch", "numba", "sympy", "matplotlib", "jsonschema", "snakemake"}
    assert not loaded("import gradevo") & heavy


def test_the_package_loads_at_once():
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import gradevo"], check=True)
    assert time.perf_counter() - begin < 2.0, "with Python itself, on a busy machine; 0.02 s of it are gradevo's"
    assert gradevo.__version__


def test_a_fit_job_loads_only_what_every_fit_needs():
    assert not loaded("import gradevo.fit_job") & {"torch", "pandas", "pyarrow", "scipy", "numba", "matplotlib", "jsonschema"}


@pytest.mark.parametrize("method", ["adam", "lbfgs", "levenberg_marquardt", "cma_es"])
def test_a_fit_without_torch_evaluates_before_tables_and_torch_are_loaded(method):
    """The job's first fit is the one that is thrown away; tables are made when the first real one has ended."""
    assert not loaded(FIRST_FIT.format(method)) & {"torch", "pandas", "pyarrow", "jsonschema", "matplotlib"}

"""A study's configuration file turned into neurons, problems and tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gradevo.problem import Problem
from gradevo.result import Result

Config = dict[str, Any]


def load_config(path: str | Path, schema: str | Path | None = None) -> Config: ...  # pyright: ignore
def check_config(config: Mapping[str, Any], schema: str | Path | None = None) -> Config: ...  # pyright: ignore
def neuron_names(config: Config) -> list[str]: ...  # pyright: ignore
def problem_names(config: Config) -> list[str]: ...  # pyright: ignore
def method_names(config: Config) -> list[str]: ...  # pyright: ignore
def make_neuron(config: Config, name: str) -> tuple[Any, np.ndarray]: ...  # pyright: ignore # (Neuron, true densities [C,n] S/cm2)
def neuron_arrays(config: Config, name: str) -> dict[str, np.ndarray]: ...  # pyright: ignore
def make_targets(config: Config, name: str) -> dict[str, np.ndarray]: ...  # pyright: ignore
def make_problem(config: Config, name: str, targets: str | Path | Mapping[str, np.ndarray] | None = None) -> Problem: ...  # pyright: ignore
def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None: ...  # pyright: ignore
def read_arrays(path: str | Path) -> dict[str, np.ndarray]: ...  # pyright: ignore
def run_fit(config: Config, problem: Problem, method: str, seed: int, on_event=None) -> Result: ...  # pyright: ignore
def summary_row(config: Config, problem: Problem, result: Result) -> dict[str, Any]: ...  # pyright: ignore
def density_rows(problem: Problem, result: Result) -> list[dict[str, Any]]: ...  # pyright: ignore

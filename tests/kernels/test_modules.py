"""Modules that are written when they are needed: one for all threads, on the compilers' clock."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import ModuleType

import pytest

from gradevo.kernels.compiling import compile_seconds
from gradevo.kernels.disk import SignatureFiles
from gradevo.kernels.modules import compiled_squares, module_once


def test_threads_that_ask_at_once_get_one_module(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADEVO_CACHE", str(tmp_path))
    assert SignatureFiles, "numba, which comes with it, is not loaded on the clock below"
    written, before, together = [], compile_seconds(), Barrier(4)

    def source() -> str:
        written.append(1)
        time.sleep(0.2)
        return "ANSWER = 42\n"

    def ask(_: int) -> ModuleType:
        together.wait()
        return module_once("answer", source)

    with ThreadPoolExecutor(4) as pool:
        modules = list(pool.map(ask, range(4)))
    assert len(written) == 1
    assert {id(m) for m in modules} == {id(modules[0])}
    assert modules[0].ANSWER == 42
    assert 0.2 <= compile_seconds() - before < 0.8, "once, and not by all who waited"
    (file,) = (tmp_path / "kernels").glob("answer_*.py")
    assert file.read_text() == "ANSWER = 42\n"


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRADEVO_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match="GRADEVO_CACHE"):
        module_once("nowhere", lambda: "ANSWER = 43\n")


def test_the_squares_are_one_module_for_each_precision():
    assert compiled_squares("float64") is compiled_squares("float64")
    assert compiled_squares("float64") is not compiled_squares("float32")

"""The measurement, at a size that the simulator manages."""

import json

import pytest

from gradevo.bench.model import Case
from gradevo.cuda import bench
from gradevo.cuda.device import simulated


@pytest.mark.skipif(not simulated(), reason="on a device, run the measurement itself")
def test_checks_and_times_both_layouts(tmp_path):
    small = Case(4, 2, 4, 8, samples=2)
    bench.main(tmp_path / "out.json", cases=(small,), check=small, runs=1)
    found = json.loads((tmp_path / "out.json").read_text())
    for check in found["checks"]:
        limit = 1e-10 if check["precision"] == "float64" else 1e-3
        assert check["voltages"] < limit
        assert check["gradient"] < limit
    assert [(e["precision"], e["across"]) for e in found["timings"]] == [
        ("float32", False), ("float32", True), ("float64", False), ("float64", True),
    ]  # fmt: skip

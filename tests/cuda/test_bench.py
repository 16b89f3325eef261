"""The measurement of a device, at sizes that the simulator manages; and its arithmetic."""

import json

import pytest

from gradevo.bench.model import Case
from gradevo.bench_gpu import run as bench
from gradevo.bench_gpu.limits import Limits, work_of
from gradevo.bench_gpu.table import bench_lines, overtaking
from gradevo.cuda.device import simulated
from gradevo.kernels import cpu

SMALL = Case(3, 1, 2, 6, samples=2)


@pytest.mark.skipif(not simulated(), reason="on a device, run the measurement itself: gradevo bench --device cuda")
def test_measures_everything_and_writes_it(tmp_path):
    sizes = bench.Sizes(
        checked=SMALL, headline=SMALL, large=SMALL, layouts=(SMALL,), populations=(1, 2), of_a_population=SMALL, tangents=SMALL,
        starts=2, runs=1, probe=(64, 2, 2),
    )  # fmt: skip
    said: list[str] = []
    found = bench.run_bench(tmp_path, sizes, said.append)
    assert json.loads((tmp_path / "gpu.json").read_text()) == json.loads(json.dumps(found))
    assert said == ["checks", "headline", "large", "populations", "tangents", "steps", "layouts"]
    for check in found["checks"]:
        limit = 1e-10 if check["precision"] == "float64" else 1e-3
        assert all(check[key] < limit for key in ("voltages", "gradient", "tangents") if key in check)
    assert [(e["precision"], e["across"]) for e in found["layouts"]] == [
        ("float32", False), ("float32", True), ("float64", False), ("float64", True),
    ]  # fmt: skip
    lines = "\n".join(bench_lines(found))
    for word in ("limits: memory", "headline: 3 compartments", "J^T J of 6 parameters", "candidates", "a step of 2 starts"):
        assert word in lines


def test_work_grows_with_what_is_done():
    """Twice the steps or simulations, twice the work; a gradient is more than a pass, and from checkpoints more again; float32
    moves half the bytes."""

    def of(case: Case, gradient: bool = False, precision: str = "float64", again: bool = False):
        return work_of(cpu.make_plan(case.neuron, case.protocol(1.0)), precision, 1, gradient, again)

    once = of(Case(3, 1, 100, 6))
    twice = of(Case(3, 2, 100, 6))
    assert twice.flops == 2 * once.flops
    assert twice.moved_bytes == 2 * once.moved_bytes
    assert of(Case(3, 1, 200, 6)).flops == 2 * once.flops
    assert once.flops < of(Case(3, 1, 100, 6), gradient=True).flops < of(Case(3, 1, 100, 6), gradient=True, again=True).flops
    assert of(Case(3, 1, 100, 6), precision="float32").moved_bytes == once.moved_bytes / 2
    assert of(Case(3, 1, 100, 6), gradient=True).flops > 2 * once.flops, "the adjoint has exponentials, too"
    # three gates with two rates each, of which exponentials alone are some 7 times 20
    assert 100 < once.flops / 300 < 500
    assert once.seconds(Limits(1e12, {"float64": 1e13}), "float64")["memory_limit_s"] == once.moved_bytes / 1e12


def test_overtaking_is_where_it_stays_ahead():
    def entries(*seconds: tuple[float, float]) -> list[dict[str, float]]:
        return [{"population": 2**i, "cuda_s": gpu, "cpu_2_cores_s": cpu_s} for i, (gpu, cpu_s) in enumerate(seconds)]

    assert "from 4 candidates" in overtaking(entries((1, 2), (1, 0.5), (1, 2), (1, 4)))
    assert "does not overtake two cores up to 2" in overtaking(entries((1, 0.5), (1, 0.9)))

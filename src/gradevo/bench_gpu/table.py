"""What ``gradevo bench --device cuda`` says at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def bench_lines(found: dict[str, Any]) -> Iterator[str]:
    """The measurement in lines, as far as it came."""
    limits = found["limits"]
    rates = ", ".join(f"{precision} {rate / 1e12:.3g} TFLOP/s" for precision, rate in limits["flops_per_s"].items())
    yield f"limits: memory {limits['bytes_per_s'] / 1e9:.3g} GB/s, {rates}"
    for check in found.get("checks", []):
        differences = ", ".join(f"{key} {check[key]:.1g}" for key in ("voltages", "gradient", "tangents") if key in check)
        yield f"against the CPU, {check['precision']}, {_layout(check)}: {differences}"
    for name in ("headline", "large", "layouts"):
        for entry in found.get(name, []):
            yield f"{name}: {entry['compartments']} compartments x {entry['simulations']} simulations, {_passes(entry)}"
    for one in found.get("populations", []):
        cpu = next(value for key, value in one.items() if key.startswith("cpu_"))
        yield f"{one['population']} candidates: GPU {one['cuda_s']:.3g} s, two cores {cpu:.3g} s"
    if found.get("populations"):
        yield overtaking(found["populations"])
    for one in found.get("tangents", []):
        where = "GPU" if one["device"] == "cuda" else f"CPU, {one['threads']} threads"
        yield f"J^T J of {one['parameters']} parameters, {one['stimuli']} stimuli, {where}: {one['median_s']:.3g} s"
    for one in found.get("steps", []):
        yield f"a step of {one['starts']} starts: {one['whole_s']:.3g} s, the kernels alone {one['kernels_s']:.3g} s"
    yield f"in {found['seconds']:.0f} s"


def overtaking(populations: list[dict[str, Any]]) -> str:
    """From which population on the device stays ahead of two cores."""
    ahead = None
    for one in reversed(populations):
        cpu = next(value for key, value in one.items() if key.startswith("cpu_"))
        if one["cuda_s"] >= cpu:
            break
        ahead = one["population"]
    if ahead is None:
        return f"the GPU does not overtake two cores up to {populations[-1]['population']} candidates"
    return f"the GPU overtakes two cores from {ahead} candidates on"


def _layout(entry: dict[str, Any]) -> str:
    return "across" if entry["across"] else "side by side"


def _passes(entry: dict[str, Any]) -> str:
    if "error" in entry:
        return f"{entry['precision']}: {entry['error']}"
    said = []
    for what in ("forward", "gradient"):
        one = entry[what]
        again = ", every step twice" if one["checkpoints"] else ""
        said.append(
            f"{what} {one['median_s']:.3g} s ({one['reached']:.0%} of the limit: memory {one['memory_limit_s']:.2g} s, "
            f"arithmetic {one['arithmetic_limit_s']:.2g} s{again})"
        )
    return f"{entry['precision']}, {_layout(entry)}: {'; '.join(said)}"

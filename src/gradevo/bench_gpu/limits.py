"""What a device could do at most, measured now, and what a simulation asks of it at least, counted: the one over the other is the
time that no kernel of this scheme can beat."""

import ast
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numba import cuda

from gradevo.cuda.codegen import kernel_source
from gradevo.kernels.plan import Plan

EXP_FLOPS = 20
"""What an exponential counts as: about the multiplications and additions of the device's own."""

PER_EDGE, PER_NODE = 7, 6
"""Operations of elimination and substitution: a factor, two products taken away and one on the way back; a reciprocal, its
product and the state's update."""

CHAINS = 8


@dataclass(frozen=True)
class Limits:
    """Of a device: bytes that a copy reads and writes per second, and multiplications and additions of each precision."""

    bytes_per_s: float
    flops_per_s: dict[str, float]


@dataclass(frozen=True)
class Work:
    """What simulations move through memory if nothing stays in caches but what they share, and what they compute."""

    moved_bytes: float
    flops: float

    def seconds(self, limits: Limits, precision: str) -> dict[str, float]:
        """The two limits."""
        return {
            "memory_limit_s": self.moved_bytes / limits.bytes_per_s,
            "arithmetic_limit_s": self.flops / limits.flops_per_s[precision],
        }


def measured_limits(copied_bytes: int, threads: int, rounds: int) -> Limits:
    """From a copy of so many bytes, and from so many threads that multiply and add."""
    one, other = (cuda.device_array(copied_bytes // 8, np.float64) for _ in range(2))
    copy_s = best_seconds(lambda: other.copy_to_device(one))
    flops = {}
    for precision in ("float32", "float64"):
        real = getattr(np, precision)
        numbers = cuda.to_device(np.ones(threads, real))
        block = min(threads, 256)
        chains_s = best_seconds(
            lambda numbers=numbers, real=real, block=block: _chains()[numbers.size // block, block](
                numbers, rounds, real(0.999), real(1e-3)
            )
        )
        flops[precision] = threads * rounds * CHAINS * 2 / chains_s
    return Limits(2 * copied_bytes / copy_s, flops)


def best_seconds(work: Any, runs: int = 5) -> float:
    """The shortest of so many runs, after one that is not counted."""
    taken = []
    for _ in range(runs + 1):
        begin = time.perf_counter()
        work()
        cuda.synchronize()
        taken.append(time.perf_counter() - begin)
    return min(taken[1:])


@cache
def _chains() -> Any:
    """A kernel of multiply-adds, eight that do not wait for each other in each thread."""

    @cuda.jit
    def chains(numbers: Any, rounds: Any, factor: Any, added: Any) -> None:
        k = cuda.grid(1)  # pyright: ignore[reportCallIssue]
        a = numbers[k]
        b, c, d, e, f, g, h = a + added, a - added, a * factor, a, a + factor, a - factor, a * added
        for _ in range(rounds):
            a, b, c, d = a * factor + added, b * factor + added, c * factor + added, d * factor + added
            e, f, g, h = e * factor + added, f * factor + added, g * factor + added, h * factor + added
        numbers[k] = a + b + c + d + e + f + g + h

    return chains


def work_of(plan: Plan, precision: str, population: int, gradient: bool, runs_again: bool = False) -> Work:
    """Of a population under a plan's stimuli.

    Per step and compartment a forward pass reads and writes a state, and a row of the diagonal and of the right-hand side;
    its adjoint reads two states and reads and writes the adjoints of gates, voltage and densities. Densities and the matrix are
    shared by a candidate's simulations, and count as cached.

    runs_again: whether a gradient runs every step twice, from checkpoints.
    """
    p, n = plan.protocol, plan.neuron.n_compartments
    variables, channels = plan.initial_state.size, len(plan.neuron.channel_names)
    operations = _operations(kernel_source(plan.neuron.channels, precision))
    edges, nodes = plan.elimination.column.size, plan.elimination.order.size
    solving = PER_EDGE * edges + PER_NODE * nodes
    passes = (2 if runs_again else 1) if gradient else 1
    numbers = passes * n * (2 * variables + 4)
    flops = passes * (n * operations("advance") + solving)
    records = p.n_samples * plan.recorded.size
    if gradient:
        numbers += n * (2 * variables + 2 * (variables - 1) + 2 * channels + 6)
        flops += n * (operations("conductance") + operations("retreat_anew")) + solving
        records *= 2
    simulations = population * p.n_stimuli
    size = np.dtype(precision).itemsize
    return Work(simulations * size * (p.n_steps * numbers + records), float(simulations) * p.n_steps * flops)


def _operations(source: str) -> Any:
    """A function's name -> its additions, multiplications and divisions, those of the functions that it calls included."""
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}

    @cache
    def of(name: str) -> float:
        return sum(counted(statement) for statement in functions[name].body) if name in functions else 0.0

    def counted(node: ast.AST) -> float:
        inside = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If):
            # a device's threads take the branch for all arguments
            inside = [node.test, *(node.orelse or node.body)]
        total = sum(counted(child) for child in inside)
        if isinstance(node, ast.BinOp):
            return total + (0.0 if _is_index(node) else 1.0)
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            return total + (EXP_FLOPS if called in ("exp", "log1p") else of(called))
        return total

    return of


def _is_index(node: ast.BinOp) -> bool:
    """Places and constants are no arithmetic of the model: places count in lanes, or from where something begins."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return names <= {"real", "WIDTH", "now", "new", "at", "v_at", "x_at", "c_at", "s_at"}

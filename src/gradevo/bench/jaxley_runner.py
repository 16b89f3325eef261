# pyright: reportMissingImports=false
"""Jaxley as a contestant, at its best settings on a CPU.

Its own HH channel, backward Euler (its default solver, and gates that advance exponentially before the voltage), the compiled
step function vectorised over simulations, these spread over as many XLA devices as there are threads. Voltages are recorded
as one vector at each sample: jaxley.integrate would record every step, and gather the compartments one by one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from gradevo.bench.model import DT_MS, Case

BYTES_PER_STEP = 600
"""What its gradient keeps of a compartment's step in float64, as measured."""
KEPT_BYTES = 4 * 2**30
"""Beyond this, groups of samples are run again in the gradient."""


class Jaxley:
    """Options: precision float64 or float32; devices."""

    def __init__(self, precision: str, devices: int) -> None:
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
        os.environ["JAX_PLATFORMS"] = "cpu"
        import jax

        jax.config.update("jax_enable_x64", precision == "float64")
        self.precision, self.devices = precision, devices

    def prepare(self, case: Case) -> dict[str, float]:
        """Builds the cell and compiles both passes; returns the seconds that compiling each took."""
        import jax
        import jax.numpy as jnp
        from jax.sharding import Mesh, PartitionSpec

        self.case = case
        devices = min(self.devices, case.simulations)
        mesh = Mesh(np.array(jax.devices()[:devices]), ("simulations",))
        everywhere, spread = PartitionSpec(), PartitionSpec("simulations")
        voltages = simulation(case, build(case), checkpoints=case.work * BYTES_PER_STEP > KEPT_BYTES)
        # a share for each device, of the same size: the last simulations may be repeated, with no weight in the loss
        padded = -(-case.simulations // devices) * devices
        index = np.minimum(np.arange(padded), case.simulations - 1)
        real = jnp.asarray(np.arange(padded) < case.simulations, self.precision)
        currents = jnp.asarray(case.step_currents_nA.transpose(0, 2, 1)[index], self.precision)
        target = jnp.asarray(case.target()[index], self.precision)
        per_parameter = case.simulations * (case.samples + 1) * case.compartments

        def all_voltages(values: Any, currents: Any) -> Any:
            return jax.vmap(voltages, in_axes=(None, 0))(values, currents)

        def loss(values: Any, currents: Any, target: Any, real: Any) -> Any:
            squares = (all_voltages(values, currents) - target) ** 2
            return (squares.sum(axis=(1, 2)) * real).sum() / per_parameter

        def share_of_gradient(*arguments: Any) -> Any:
            return jax.tree.map(lambda x: x[None], jax.value_and_grad(loss)(*arguments))

        forward = jax.shard_map(all_voltages, mesh=mesh, in_specs=(everywhere, spread), out_specs=spread, check_vma=False)
        gradient = jax.shard_map(
            share_of_gradient, mesh=mesh, in_specs=(everywhere, spread, spread, spread), out_specs=spread, check_vma=False
        )
        self.values = jnp.asarray(case.values, self.precision)
        self.arguments = (currents, target, real)
        self.compiled_forward, self.compiled_gradient = jax.jit(forward), jax.jit(gradient)
        return {"compile_forward_s": first_call(self.forward), "compile_gradient_s": first_call(self.gradient)}

    def forward(self) -> np.ndarray:
        """Voltages [simulations, samples + 1, compartments] mV."""
        return np.asarray(self.compiled_forward(self.values, self.arguments[0]))[: self.case.simulations]

    def gradient(self) -> np.ndarray:
        """d loss / d densities, [densities]."""
        return np.asarray(self.compiled_gradient(self.values, *self.arguments)[1]).sum(axis=0)


def first_call(function: Callable[[], Any]) -> float:
    """Seconds that the first call took beyond what the second takes."""
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return seconds[0] - seconds[1]


def build(case: Case) -> Any:
    """The tree as a jaxley Cell, a branch of one compartment per section."""
    import jaxley
    from jaxley.channels import HH

    m, compartment = case.neuron.morphology, jaxley.Compartment()
    if case.channels != "hh":
        raise ValueError(f"channels {case.channels!r}: this comparison is with Jaxley's own HH")
    cell = jaxley.Cell([jaxley.Branch(compartment, ncomp=1)] * case.compartments, parents=m.parents.tolist())
    cell.insert(HH())
    cell.set("radius", m.diameters_um / 2)
    cell.set("length", m.lengths_um)
    assert m.axial_resistivity_ohm_cm is not None
    cell.set("axial_resistivity", m.axial_resistivity_ohm_cm)
    cell.set("capacitance", case.neuron.channels.capacitance_uF_cm2)
    cell.set("v", case.neuron.channels.initial_voltage_mV)
    for key, densities in zip(("HH_gNa", "HH_gK", "HH_gLeak"), case.full_densities, strict=True):
        cell.set(key, densities)
    cell.comp("all").record(verbose=False)
    cell.init_states(delta_t=DT_MS)
    return cell


def simulation(case: Case, cell: Any, checkpoints: bool) -> Any:
    """The function (densities [P], currents [steps, sites] nA) -> voltages [samples + 1, compartments] mV."""
    import jax
    import jax.numpy as jnp
    from jaxley.integrate import build_init_and_step_fn

    cell.to_jax()
    initialise, step = build_init_and_step_fn(cell, voltage_solver="jaxley.dhs.cpu", solver="bwd_euler")
    initial, _ = initialise([], None, None, DT_MS)
    sites = {"i": jnp.asarray(case.sites)}
    n = case.compartments
    per_density = n if case.densities == 2 else 1
    # samples are scanned in groups; with checkpoints, a group is run again when the gradient comes by
    group = max(g for g in range(1, case.samples + 1) if case.samples % g == 0 and g * g <= case.samples) if checkpoints else None

    def voltages(values: Any, currents: Any) -> Any:
        na, k = values.reshape(2, -1)
        state_of = [
            {"key": name, "val": jnp.repeat(density, per_density), "indices": jnp.arange(n)[:, None]}
            for name, density in (("HH_gNa", na), ("HH_gK", k))
        ]
        states, parameters = initialise([], initial, state_of, DT_MS)

        def one(states: Any, current: Any) -> Any:
            return step(states, parameters, {"i": current}, sites, DT_MS), None

        def sample(states: Any, currents: Any) -> Any:
            states, _ = jax.lax.scan(one, states, currents)
            return states, states["v"][:n]

        shaped = currents.reshape(case.samples, case.stride, -1)
        first = states["v"][None, :n]
        if group is None:
            return jnp.concatenate([first, jax.lax.scan(sample, states, shaped)[1]])
        outer = jax.checkpoint(lambda states, currents: jax.lax.scan(sample, states, currents))
        grouped = shaped.reshape(case.samples // group, group, case.stride, -1)
        return jnp.concatenate([first, jax.lax.scan(outer, states, grouped)[1].reshape(case.samples, n)])

    return voltages

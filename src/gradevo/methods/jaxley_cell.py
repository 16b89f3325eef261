# pyright: reportMissingImports=false
"""A neuron of gradevo's as a Jaxley cell, and the loss of its free quantities. Loaded in Jaxley's process only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jaxley
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxley.optimize.transforms import ChainTransform, CustomTransform, ParamTransform, SigmoidTransform

from gradevo.methods.jaxley_channels import jaxley_channels
from gradevo.methods.jaxley_peer import Task, attachments
from gradevo.nmodl import suffix
from gradevo.parameters import Parameters
from gradevo.units import AXIAL_RESISTIVITY, CAPACITANCE, OHM_CM_PER_UM_TO_MOHM

WITHOUT_RESISTIVITY_OHM_CM = 100.0
"""Any number serves where coupling was given directly: loads are made for it."""


def build(task: Task) -> Any:
    """The cell: a branch per compartment, whose halves have the resistances that gradevo's couplings are made of."""
    neuron = task.parameters.neuron
    m = neuron.morphology
    into, out = attachments(neuron)
    cell = jaxley.Cell([jaxley.Branch(jaxley.Compartment(), ncomp=1)] * m.n_compartments, parents=m.parents.tolist())
    for channel, densities in zip(jaxley_channels(neuron.channels), task.parameters.fixed, strict=True):
        cell.insert(channel)
        cell.set(f"{channel.name}_gbar", densities)
    resistivity = m.axial_resistivity_ohm_cm or WITHOUT_RESISTIVITY_OHM_CM
    cell.set("radius", m.diameters_um / 2)
    cell.set("length", m.lengths_um)
    cell.set("area", m.areas_um2)
    cell.set("resistive_load_in", into / (resistivity * OHM_CM_PER_UM_TO_MOHM))
    cell.set("resistive_load_out", out / (resistivity * OHM_CM_PER_UM_TO_MOHM))
    cell.set("axial_resistivity", resistivity)
    cell.set("capacitance", neuron.channels.capacitance_uF_cm2)
    cell.set("v", neuron.channels.initial_voltage_mV)
    for site in task.recorded:
        cell.branch(site).comp(0).record(verbose=False)
    cell.init_states(delta_t=task.step_ms)
    return cell


def voltages_of(task: Task) -> Callable[[Any, Any], Any]:
    """(values [P], currents [sites, steps] nA) -> voltages [samples, recorded] mV, by jaxley.integrate at its defaults."""
    cell, parameters = build(task), task.parameters

    def voltages(values: Any, currents: Any) -> Any:
        stimuli = None
        for i, site in enumerate(task.stimulated):
            stimuli = cell.branch(site).comp(0).data_stimulate(currents[i], stimuli)
        v = jaxley.integrate(
            cell, param_state=_state(parameters, values), data_stimuli=stimuli, delta_t=task.step_ms, solver=task.solver
        )
        return v[:, :: task.stride].T

    return voltages


def make_transform(task: Task) -> ParamTransform:
    """Jaxley's, from unbounded variables to values: "log" the logarithm, which knows no box, and "logit" on the log scale of the
    box, both as gradevo's views; "sigmoid" on the box itself, as in Jaxley's tutorials."""
    low, high = jnp.asarray(task.low), jnp.asarray(task.high)
    logarithm = CustomTransform(jnp.exp, jnp.log)
    transform = {
        "log": logarithm,
        "logit": ChainTransform([SigmoidTransform(jnp.log(low), jnp.log(high)), logarithm]),
        "sigmoid": SigmoidTransform(low, high),
    }[task.transform]
    return ParamTransform([{"values": transform}])


class Trainer:
    """Losses and gradients of several starts at once, each start's stimuli spread over the devices."""

    def __init__(self, task: Task) -> None:
        count = len(task.currents_nA)
        devices = min(task.devices, count)
        # a share for each device, of the same size: the last stimuli may be repeated, with no weight in the loss
        index = np.minimum(np.arange(-(-count // devices) * devices), count - 1)
        real = (np.arange(len(index)) < count)[:, None, None]
        mesh = Mesh(np.array(jax.devices()[:devices]), ("stimuli",))
        everywhere, spread = PartitionSpec(), PartitionSpec("stimuli")
        # Jaxley's annotations say less than it returns
        self.transform: Any = make_transform(task)
        one = voltages_of(task)
        self.data = tuple(
            jnp.asarray(array) for array in (task.currents_nA[index], task.weights[index] * real / count, task.target[index])
        )

        def loss(variables: Any, currents: Any, weights: Any, target: Any) -> Any:
            values = self.transform.forward([{"values": variables}])[0]["values"]
            v = jax.vmap(one, in_axes=(None, 0))(values, currents)
            return (jnp.where(weights > 0, (v - target) ** 2, 0.0) * weights).sum()

        def share(variables: Any, *data: Any) -> Any:
            found = jax.vmap(jax.value_and_grad(loss), in_axes=(0, None, None, None))(variables, *data)
            return jax.tree.map(lambda x: x[None], found)

        def simulate(values: Any, currents: Any) -> Any:
            return jax.vmap(one, in_axes=(None, 0))(values, currents)

        inputs = (everywhere, spread, spread, spread)
        self._gradient = jax.jit(jax.shard_map(share, mesh=mesh, in_specs=inputs, out_specs=spread, check_vma=False))
        self._simulate = jax.jit(simulate)
        self.count = count

    def loss_and_gradient(self, variables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """[S, P] -> losses [S] and gradients [S, P]."""
        losses, gradients = self._gradient(jnp.asarray(variables), *self.data)
        return np.asarray(losses).sum(axis=0), np.asarray(gradients).sum(axis=0)

    def values(self, variables: np.ndarray) -> np.ndarray:
        """[S, P] -> the quantities' values [S, P], by Jaxley's transform."""
        return np.asarray(self.transform.forward([{"values": jnp.asarray(variables)}])[0]["values"])

    def variables(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `values`."""
        return np.asarray(self.transform.inverse([{"values": jnp.asarray(values)}])[0]["values"])

    def voltages(self, values: np.ndarray) -> np.ndarray:
        """[P] -> [stimuli, samples, recorded] mV."""
        return np.asarray(self._simulate(jnp.asarray(values), self.data[0]))[: self.count]


def _state(parameters: Parameters, values: Any) -> list[dict[str, Any]]:
    """What `data_set` makes: regions of one size are one entry, since Jaxley's entries are rectangular."""
    own = {CAPACITANCE: "capacitance", AXIAL_RESISTIVITY: "axial_resistivity"}
    channels = parameters.neuron.channels
    own |= {channel.name: f"{suffix(channels, channel)}_gbar" for channel in channels.channels}
    entries = []
    for quantity in parameters.quantities:
        members = [np.flatnonzero(quantity.labels == region) for region in range(quantity.n_regions)]
        sizes = np.array([len(region) for region in members])
        for size in np.unique(sizes):
            regions = np.flatnonzero(sizes == size)
            entries.append(
                {
                    "key": own[quantity.name],
                    "val": values[quantity.values.start + regions],
                    "indices": jnp.asarray(np.stack([members[region] for region in regions])),
                }
            )
    return entries

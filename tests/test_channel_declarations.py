"""What a channel's declaration may not say is refused where it is declared, by channel, gate, value and way out."""

from typing import Any, cast

import pytest
import sympy as sp

from gradevo.channels import CHANNEL_SETS, Channel, ChannelSet, Gate
from gradevo.channels.base import V, at_least, linoid, sigmoid
from gradevo.truth import perturbed

OPEN = sigmoid(V / 10)
ONE = sp.Integer(1)


def gate(name: str = "m", **curves) -> Gate:
    return Gate(name, 1, **(curves or {"steady_state": OPEN, "time_constant": ONE}))


def channel(*gates: Gate, density: float = 0.1) -> Channel:
    return Channel("Na", reversal_mV=50.0, density_S_cm2=density, gates=gates)


@pytest.mark.parametrize("power", [2.5, 3.0, 0, -1])
def test_a_power_is_a_whole_number(power):
    with pytest.raises(ValueError, match=rf"gate 'm': power {power} is no whole number of at least 1"):
        Gate("m", power, alpha=OPEN, beta=OPEN)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: channel(gate("m"), gate("m")), r"channel 'Na': two gates are named 'm' .*rename one"),
        (
            lambda: Channel("Na", 50.0, 0.1, gates=cast("Any", gate("m"))),
            r"channel 'Na': gates is the gate 'm', not a tuple; add the comma",
        ),
        (lambda: Channel("Na", 50.0, 0.1, gates=cast("Any", [gate("m")])), r"channel 'Na': gates is \[.*not a tuple"),
        (lambda: channel(density=-0.1), r"channel 'Na': density_S_cm2 is -0.1; .*0 S/cm2 or more"),
        (lambda: channel(density=float("nan")), r"density_S_cm2 is nan"),
    ],
)
def test_channels_that_cannot_be_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({"alpha": sp.exp(sp.Symbol("v")), "beta": OPEN}, r"alpha = exp\(v\) holds the symbol v; .*V of gradevo"),
        ({"steady_state": OPEN, "time_constant": 1 + sp.Symbol("V")}, "time_constant .*symbol V; .*not the same"),
        ({"alpha": "V", "beta": OPEN}, "alpha is 'V', no sympy expression"),
        (
            {"alpha": OPEN, "beta": 2 + sp.sin(V)},
            r"beta holds sin\(V\): sin is not known .*sp.exp, and linoid, sigmoid, softplus",
        ),
        ({"alpha": OPEN, "beta": sp.sqrt(V + 200)}, r"beta holds sqrt\(V \+ 200\), a power"),
        ({"alpha": OPEN, "beta": sp.pi * OPEN}, "beta holds pi, .*write it as a number"),
        ({"alpha": at_least(V, V + 1), "beta": OPEN}, "alpha holds at_least.*floor is no number"),
        ({"steady_state": 2 * OPEN, "time_constant": ONE}, "steady_state is 1.04996 at 1 mV; .*from 0 to 1"),
        ({"steady_state": -OPEN, "time_constant": ONE}, "steady_state is -.* mV; .*from 0 to 1"),
        ({"alpha": V, "beta": OPEN}, "alpha is -120 per ms at -120 mV; a rate is not negative"),
        ({"alpha": OPEN, "beta": -OPEN}, "beta is -.*not negative"),
        ({"steady_state": OPEN, "time_constant": V + 100}, "time_constant is -20 ms at -120 mV; .*instantaneous"),
        ({"steady_state": OPEN, "time_constant": at_least(V, 0)}, "time_constant is 0 ms at -120 mV"),
        ({"alpha": (V + 40) / (1 - sp.exp(-(V + 40) / 10)), "beta": OPEN}, "alpha is not finite at -40 mV; .*linoid"),
        ({"alpha": sp.exp(-20 * V), "beta": OPEN}, "alpha is not finite at -120 mV"),
        ({"alpha": at_least(V, 0), "beta": at_least(V, 0)}, "alpha and beta are both 0 at -120 mV"),
    ],
)
def test_curves_that_no_gate_has_are_refused(curves, message):
    with pytest.raises(ValueError, match="channel 'Na', gate 'm': " + message):
        channel(gate(**curves))


def test_what_is_right_but_for_rounding_is_accepted():
    channel(gate(steady_state=(1 + 1e-12) * sigmoid(5 * V), time_constant=ONE))
    channel(gate(steady_state=OPEN, time_constant=sp.Integer(0)))
    channel(gate(alpha=linoid(20 * V), beta=1 / (1 + sp.exp(-20 * V))))  # exp(2400) is no float, but 1 over it is 0


def test_channels_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"'Na'.*not unique"):
        ChannelSet("two", (channel(), channel()), 1.0, -65.0, ("Na",), "made up")


@pytest.mark.parametrize("name", CHANNEL_SETS)
@pytest.mark.parametrize("shift_mV", [-20.0, 3.7, 20.0])
def test_shifted_and_faster_channels_are_accepted(name: str, shift_mV: float):
    gated = [c.name for c in CHANNEL_SETS[name].channels if c.gates]
    shifts: dict[str, float] = dict.fromkeys(gated, shift_mV)
    faster: dict[str, float] = dict.fromkeys(gated, 1.7)
    perturbed(CHANNEL_SETS[name], shifts, faster)

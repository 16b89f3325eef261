"""Adam's step against torch's, for numpy's arrays and torch's tensors."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from gradevo.methods.adam import Moments, adam_step, run
from tests.fitting import Quadratic


def slopes_at(x):
    """Of a badly scaled bowl: slopes over six decades."""
    return 10.0 ** np.linspace(-3, 3, x.shape[1]) * (x - 0.3)


def test_steps_are_those_of_torch():
    start = np.random.default_rng(0).normal(size=(4, 9))
    wanted = torch.tensor(start, requires_grad=True)
    optimiser = torch.optim.Adam([wanted], lr=0.02)
    array, tensor = start.copy(), torch.tensor(start)
    of_array, of_tensor = Moments(0.0 * array, 0.0 * array), Moments(0.0 * tensor, 0.0 * tensor)
    for taken in range(1, 101):
        wanted.grad = torch.from_numpy(slopes_at(wanted.detach().numpy()))
        optimiser.step()
        adam_step(array, slopes_at(array), of_array, taken, 0.02)
        adam_step(tensor, torch.from_numpy(slopes_at(tensor.numpy())), of_tensor, taken, 0.02)
    assert np.abs(wanted.detach().numpy() - start).max() > 0.5
    np.testing.assert_allclose(array, wanted.detach().numpy(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(tensor.numpy(), wanted.detach().numpy(), rtol=0, atol=1e-12)


def test_a_start_that_diverges_is_drawn_anew_and_begins_anew():
    """Its first step is the whole learning rate in every coordinate, as Adam's always is; the other start goes on as before."""

    def positions(lost_at: int | None) -> list[np.ndarray]:
        asked: list[np.ndarray] = []

        def loss_and_gradient(problem: Any, thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            asked.append(thetas.copy())
            losses, gradients = problem.loss_and_gradient(thetas)
            if len(asked) == lost_at:
                losses[1] = np.nan
            return losses, gradients

        meter: Any = SimpleNamespace(loss_and_gradient=loss_and_gradient)
        problem: Any = Quadratic(view="log")
        settings: dict[str, Any] = {"schedule": "constant", "final_rate": 1.0, "view": "log", "scale": 1.0}
        run(problem, meter, np.random.default_rng(0), starts=2, learning_rate=0.01, steps=33, **settings)
        return asked

    whole, broken = positions(None), positions(30)
    np.testing.assert_array_equal([at[0] for at in broken], [at[0] for at in whole])
    np.testing.assert_array_equal([at[1] for at in broken[:30]], [at[1] for at in whole[:30]])
    assert np.abs(broken[30][1] - broken[29][1]).max() > 0.1, "drawn anew"
    np.testing.assert_allclose(np.abs(broken[31][1] - broken[30][1]), 0.01, rtol=1e-5)


def test_a_fit_on_the_cpu_does_not_load_torch():
    code = "import sys, gradevo.methods.adam, gradevo.problem, gradevo.fit; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"

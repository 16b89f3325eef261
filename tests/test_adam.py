"""Adam's step against torch's, for numpy's arrays and torch's tensors."""

import subprocess
import sys

import numpy as np
import torch

from gradevo.methods.adam import Moments, adam_step


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


def test_a_start_that_was_drawn_anew_begins_anew():
    """Starts of different ages in one batch step as each does by itself."""
    rng = np.random.default_rng(1)
    old, young = rng.normal(size=(2, 1, 5))
    both, moments, taken = np.concatenate([old, young]), Moments(np.zeros((2, 5)), np.zeros((2, 5))), np.array([[0.0], [0.0]])
    for step in range(40):
        if step == 30:
            both[1] = young
            moments.slopes[1] = moments.squares[1] = taken[1] = 0.0
        taken += 1
        adam_step(both, slopes_at(both), moments, taken, 0.02)
    for k, (alone, steps) in enumerate(((old.copy(), 40), (young.copy(), 10))):
        own = Moments(np.zeros((1, 5)), np.zeros((1, 5)))
        for step in range(1, steps + 1):
            adam_step(alone, slopes_at(alone), own, step, 0.02)
        np.testing.assert_allclose(both[k], alone[0], rtol=1e-14)


def test_a_fit_on_the_cpu_does_not_load_torch():
    code = "import sys, gradevo.methods.adam, gradevo.problem, gradevo.fit; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"

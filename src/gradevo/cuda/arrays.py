"""Memory on the device for callers with numpy arrays, and for callers whose torch tensors are there already."""

from typing import Any, Protocol

import numpy as np
from numba import cuda

from gradevo.cuda.device import free_bytes, simulated


class Arrays(Protocol):
    """Where arguments come from and results go; ``place`` names it."""

    stream: Any
    place: str

    def take(self, values: Any, dtype: type) -> Any:
        """A caller's array as a contiguous one on the device that kernels read."""
        ...

    def empty(self, shape: tuple[int, ...], dtype: type) -> Any:
        """Uninitialised memory on the device."""
        ...

    def give(self, values: Any) -> Any:
        """A result of kernels as the caller's kind of array."""
        ...

    def free_bytes(self) -> float:
        """Memory that ``empty`` can have."""
        ...


class HostArrays:
    """numpy in and out: copied to the device and back."""

    stream = 0
    place = "host"

    def take(self, values: Any, dtype: type) -> Any:
        return cuda.to_device(np.ascontiguousarray(values, dtype))

    def empty(self, shape: tuple[int, ...], dtype: type) -> Any:
        return cuda.device_array(shape, dtype)

    def give(self, values: Any) -> np.ndarray:
        return values.copy_to_host()

    def free_bytes(self) -> float:
        return free_bytes()


class TorchArrays:
    """torch tensors on a CUDA device, in and out without copies: kernels read and write the tensors' own memory, which torch's
    allocator keeps for the next run, and run on torch's current stream, in order with what torch does there."""

    def __init__(self, example: Any) -> None:
        import torch

        self._torch, self._device, self.place = torch, example.device, str(example.device)
        here = cuda.get_current_device().id
        if example.device.index not in (None, here):
            raise ValueError(
                f"densities are on {example.device}, but kernels run on cuda:{here}; move them, or call numba.cuda.select_device"
            )
        pointer = torch.cuda.current_stream(example.device).cuda_stream
        self.stream = cuda.external_stream(pointer) if pointer else 0

    def take(self, values: Any, dtype: type) -> Any:
        if isinstance(values, np.ndarray):
            values = self._torch.from_numpy(values)
        wanted = getattr(self._torch, np.dtype(dtype).name)
        return self._view(values.detach().to(self._device, wanted).contiguous())

    def empty(self, shape: tuple[int, ...], dtype: type) -> Any:
        kind = getattr(self._torch, np.dtype(dtype).name)
        return self._view(self._torch.empty(shape, dtype=kind, device=self._device))

    def give(self, values: Any) -> Any:
        return self._torch.as_tensor(values, device=self._device)

    def _view(self, tensor: Any) -> Any:
        """The tensor's memory as kernels take it."""
        return cuda.as_cuda_array(tensor)

    def free_bytes(self) -> float:
        """What torch's allocator has in store counts as free."""
        memory = self._torch.cuda
        in_store = memory.memory_reserved(self._device) - memory.memory_allocated(self._device)
        return memory.mem_get_info(self._device)[0] + in_store


class SimulatedTorchArrays(TorchArrays):
    """What `TorchArrays` is, for Numba's simulator: its device is the host, so it takes tensors there, without copies too."""

    stream = 0

    def __init__(self, example: Any) -> None:
        import torch

        self._torch, self._device, self.place = torch, example.device, str(example.device)

    def give(self, values: Any) -> Any:
        return self._torch.from_numpy(np.asarray(values.copy_to_host()))

    def _view(self, tensor: Any) -> Any:
        from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

        return FakeCUDAArray(tensor.numpy())

    def free_bytes(self) -> float:
        return free_bytes()


def torch_device() -> str | None:
    """Where torch keeps tensors that kernels take as they are; None where it has no access to the device."""
    import torch

    if simulated():
        return "cpu"
    return f"cuda:{cuda.get_current_device().id}" if torch.cuda.is_available() else None


def arrays_for(densities: Any) -> Arrays:
    """By where the densities are.

    Raises:
        ValueError: for tensors on another device than the one that kernels run on.
    """
    if getattr(densities, "is_cuda", False):
        return TorchArrays(densities)
    return SimulatedTorchArrays(densities) if simulated() and not isinstance(densities, np.ndarray) else HostArrays()

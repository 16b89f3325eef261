"""Compiled kernels on disk: the next process loads what one has compiled for this GPU. Files as kernels/disk.py has them, which
several processes can write at once; numba-cuda has a cache of its own, of the same form."""

from types import ModuleType
from typing import Any

from gradevo.cuda.device import simulated
from gradevo.kernels.disk import SignatureFiles


class KernelFiles(SignatureFiles):
    """The text of the module is in the files' names, and the versions of Numba and numba-cuda; signature and compute capability
    are in the key."""

    def _path(self, key: Any) -> Any:
        import numba_cuda  # pyright: ignore[reportMissingImports]

        return super()._path((numba_cuda.__version__, key))

    def _dump(self, obj: Any) -> bytes:
        from numba.cuda.core import caching  # pyright: ignore[reportMissingImports]

        return caching.dumps(obj)


def use_kernel_files(module: ModuleType) -> None:
    """From now on, the module's kernels are kept this way. The simulator compiles nothing."""
    if simulated():
        return
    for function in vars(module).values():
        kept: Any = getattr(function, "_cache", None)
        if hasattr(kept, "_cache_file"):
            kept._cache_file = KernelFiles(kept.cache_path, kept._impl.filename_base)

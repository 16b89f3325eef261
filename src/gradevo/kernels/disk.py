"""Compiled kernels on disk, safe under concurrent jobs: each signature of a function in one file of its own, whole or not taken.

Numba keeps an index beside its data files. Two processes that each add a signature can leave an index that names the other's
data, and a file that was cut short (a full disk, a crash) ends every later run with an EOFError. Without an index, and with a
checksum, neither can happen: a file that is not whole is compiled again and replaced.
"""

import hashlib
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

_CHECKSUM_BYTES = 32


class SignatureFiles(IndexDataCacheFile):
    """Numba's interface to a function's files: ``load`` and ``save`` of what it compiled for a key, which holds signature,
    processor and byte code. The text of the module is in the files' names."""

    def __init__(self, folder: str, base: str) -> None:
        super().__init__(folder, base, None)
        self._base = Path(folder) / base

    def _path(self, key: Any) -> Path:
        digest = hashlib.sha256(repr((numba.__version__, key)).encode()).hexdigest()
        return self._base.with_name(f"{self._base.name}.{digest[:20]}.nbc")

    def load(self, key: Any) -> Any:
        """None for what is not there, or not whole."""
        try:
            content = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        checksum, data = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        return pickle.loads(data) if hashlib.sha256(data).digest() == checksum else None

    def save(self, key: Any, data: Any) -> None:
        """Written aside and renamed into place."""
        dumped = self._dump(data)
        with self._open_for_write(str(self._path(key))) as file:
            file.write(hashlib.sha256(dumped).digest() + dumped)

    def flush(self) -> None:
        """Nothing is kept back."""


def use_signature_files(module: ModuleType) -> None:
    """From now on, the module's functions are kept this way."""
    for function in vars(module).values():
        kept = getattr(function, "_cache", None)
        if isinstance(kept, FunctionCache):
            kept._cache_file = SignatureFiles(kept.cache_path, kept._impl.filename_base)

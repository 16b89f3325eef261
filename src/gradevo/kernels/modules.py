"""Modules whose text is written, and whose functions are compiled, when they are first needed.

Each is a file whose name has the hash of its text. Numba's disk cache then works across processes, a changed text can never meet
a stale binary, and two jobs that generate the same module write the same bytes and rename them into place.
"""

import hashlib
import importlib.util
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from gradevo.kernels.compiling import on_the_clock


def cache_folder() -> Path:
    """Where generated kernels live: GRADEVO_CACHE, else XDG_CACHE_HOME/gradevo, else ~/.cache/gradevo."""
    if named := os.environ.get("GRADEVO_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "gradevo"


_making = threading.Lock()


def module_once(kind: str, source_of: Callable[..., str], *args: Any) -> ModuleType:
    """The module with the text source_of(*args); one in a process, whichever threads ask for it. Its seconds count as
    compilation.

    Raises:
        OSError: if the cache folder cannot be written, naming it and GRADEVO_CACHE.
    """
    with _making:
        return _made(kind, source_of, *args)


def compiled_squares(precision: str) -> ModuleType:
    """The module of squares.py, which is the same for all channels, for numbers of one precision (float64 or float32): a function
    is compiled once. Errors as `module_once`."""
    return module_once("squares", _squares_source, precision)


def _squares_source(precision: str) -> str:
    return f"# {precision}\n" + (Path(__file__).parent / "squares.py").read_text()


@cache
def _made(kind: str, source_of: Callable[..., str], *args: Any) -> ModuleType:
    with on_the_clock():
        # numba comes with it
        from gradevo.kernels.disk import use_signature_files

        module = written_and_loaded("kernels", kind, source_of(*args))
        use_signature_files(module)
        return module


def written_and_loaded(folder: str, kind: str, source: str) -> ModuleType:
    """The module with this text, in a folder of the cache. Errors as `module_once`."""
    name = f"{kind}_" + hashlib.sha256(source.encode()).hexdigest()[:20]
    path = cache_folder() / folder / f"{name}.py"
    # a file that a crash cut short is written again
    if not path.exists() or path.read_text(errors="replace") != source:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_aside(path, source)
        except OSError as error:
            raise OSError(
                f"cannot write compiled kernels to {path.parent} ({error.strerror}); "
                "set GRADEVO_CACHE to a folder that can be written and has space"
            ) from None
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _write_aside(path: Path, text: str) -> None:
    """In one step, and under a random name before: jobs on other machines may share the folder, and process ids with it."""
    handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with open(handle, "w") as file:
            file.write(text)
        os.replace(aside, path)
    except OSError:
        Path(aside).unlink(missing_ok=True)
        raise

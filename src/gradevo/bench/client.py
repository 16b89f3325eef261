"""The benchmark's end of a worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from gradevo.bench.model import Case
from gradevo.bench.worker import as_request


class WorkerEnded(RuntimeError):
    """A contestant's process ended; the message holds its last words."""


class Worker:
    """A contestant's process. It starts by itself, and sleeps while it is not asked."""

    def __init__(self, name: str, options: dict[str, Any] | None = None, environment: dict[str, str] | None = None) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gradevo.bench.worker", name, json.dumps(options or {})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self._started = False

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Raises WorkerEnded if the process dies over it."""
        self.send(do, **more)
        return self.receive()

    def send(self, do: str, **more: Any) -> None:
        assert self._process.stdin is not None
        if not self._started:
            self._started = self._read()["ready"]
        try:
            self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._raise_ended()

    def receive(self) -> dict[str, Any]:
        return self._read()

    def prepare(self, case: Case) -> dict[str, Any]:
        return self.ask("prepare", case=as_request(case))

    def seconds(self, do: str, *args: Any) -> float:
        return self.ask(do, args=list(args))["seconds"]

    def array(self, do: str) -> np.ndarray:
        """What a method returns."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "array.npy"
            self.ask(do, save=str(path))
            return np.load(path)

    def close(self) -> None:
        """Ends the process; it has nothing to lose."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._raise_ended()
        return json.loads(line)

    def _raise_ended(self) -> None:
        code = self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().strip().splitlines()
        raise WorkerEnded(f"{self.name} ended with {code}: {words[-1] if words else 'no message (killed, perhaps for memory)'}")

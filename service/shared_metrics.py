"""The figures of several worker processes on one machine, shown as one.

Each worker writes its figures to files in a common folder (prometheus_client's multiprocess mode)
under the number of a slot, which it holds by a file lock for as long as it lives. A worker that
takes a dead one's place takes its slot too and counts on from where that one stood: there are
never more files than there were workers at a time. What a gauge said of a dead worker is dropped.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import orjson
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest, values
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells workers, and prometheus_client, where the common folder is."""

_MODELS = "models.jsonl"
_TRIES = 5


class Shared:
    """A worker's part in the common figures; to be made before its first figure is.

    At most one for each process: it decides where all of the process's figures are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._slot, self._lock = _take_slot(folder)
        _forget_gauges(folder, self._slot)
        os.environ[FOLDER] = str(folder)
        slot = self._slot
        make = cast("Callable[[Callable[[], int]], Any]", values.MultiProcessValue)
        setattr(values, "ValueClass", make(lambda: slot))  # noqa: B010 - a name that is a type

    def render(self) -> bytes:
        """The sums over all workers, as Prometheus' text."""
        for number, _ in _dead_slots(self._folder):
            _forget_gauges(self._folder, number)
        registry = CollectorRegistry()
        collector = cast("Callable[..., Collector]", MultiProcessCollector)
        collector(registry, path=str(self._folder))
        registry.register(_Processes(self._folder))
        for _ in range(_TRIES - 1):
            try:
                return generate_latest(registry)
            except struct.error:  # another worker is making a file in this very moment
                continue
        return generate_latest(registry)

    def known_models(self, wanted: str | None, limit: int) -> set[str]:
        """The models that have a label in any worker, `wanted` among them if there is room."""
        with (self._folder / _MODELS).open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            known: set[str] = {orjson.loads(line) for line in file}
            if wanted is not None and wanted not in known and len(known) < limit:
                known.add(wanted)
                file.write(orjson.dumps(wanted) + b"\n")
        return known


class _Processes(Collector):
    """Memory, CPU time and open files of all live workers together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """The usual names of a process's figures."""
        sums: defaultdict[str, float] = defaultdict(float)
        for pid in _live_pids(self._folder):
            for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                for sample in metric.samples:
                    sums[sample.name] += sample.value
        yield CounterMetricFamily(
            "process_cpu_seconds", "CPU time of all workers.", sums["process_cpu_seconds_total"]
        )
        for name, text in (
            ("process_resident_memory_bytes", "Memory of all workers."),
            ("process_open_fds", "Open files of all workers."),
        ):
            yield GaugeMetricFamily(name, text, sums[name])


def _take_slot(folder: Path) -> tuple[int, IO[str]]:
    """The first slot that nobody alive holds, and its lock, held until the process ends."""
    for number in itertools.count():
        lock = (folder / f"{number}.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return number, lock
    raise AssertionError("This is a bug: counting has no end")


def _dead_slots(folder: Path) -> Iterator[tuple[int, IO[str]]]:
    """The slots that nobody alive holds; nobody can take one while it is looked at."""
    for path in folder.glob("*.lock"):
        with path.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield int(path.stem), lock


def _live_pids(folder: Path) -> list[int]:
    dead = {number for number, _ in _dead_slots(folder)}
    files = [path for path in folder.glob("*.lock") if int(path.stem) not in dead]
    return [int(pid) for pid in (path.read_text() for path in files) if pid]


def _forget_gauges(folder: Path, slot: int) -> None:
    """Drops what gauges said of a worker that is no more; counts and histograms stay."""
    for path in folder.glob(f"gauge_live*_{slot}.db"):
        path.unlink(missing_ok=True)

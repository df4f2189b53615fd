"""Whether `rival.py` says what Evidently's own default preset says, on the same windows.

    python -m load_tests.drift.agreement --python /path/to/evidentlyvenv/bin/python

Evidently lives in an environment of its own (`pip install evidently 'pandas<3'`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from load_tests.drift.__main__ import HERE, WEEK, _daily, _topics
from load_tests.drift.pool import Pool
from load_tests.drift.rival import CATEGORIES
from load_tests.drift.traffic import City, signals
from service.watch.series import HOUR_US

THERE = """
import json, sys
import numpy as np, pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
told, kinds = {}, json.loads(sys.argv[2])
for name, kind in kinds.items():
    parts = np.load(sys.argv[1] + "/" + name + ".npz")
    column = "categorical_columns" if kind == "category" else "numerical_columns"
    about = DataDefinition(**{column: [name]})
    sets = []
    for part in ("reference", "current"):
        values = parts[part].astype(int).astype(str) if kind == "category" else parts[part]
        sets.append(Dataset.from_pandas(pd.DataFrame({name: values}), data_definition=about))
    found = Report([DataDriftPreset()]).run(sets[1], sets[0]).dict()["metrics"]
    value = [one for one in found if "ValueDrift" in str(one["metric_name"])][0]
    told[name] = [float(value["value"]), str(value["metric_name"])]
print(json.dumps(told))
"""


def main(arguments: Sequence[str]) -> int:
    """Prints both distances of each column; exit code 1 where they differ."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.drift.agreement")
    parser.add_argument("--python", required=True, help="of the environment with evidently")
    parser.add_argument("--pool", type=Path, default=HERE / "pool.npz")
    options = parser.parse_args(arguments)
    pool, rng = Pool.load(options.pool), np.random.default_rng(0)
    traffic = City(pool, rng).traffic(WEEK * 2, first_hour=0, change="model", from_hour=WEEK)
    start, kinds, ours = WEEK * HOUR_US, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, series in signals(pool, traffic, _topics(pool, traffic)).items():
            reference, watched = series.between(0, start), series.between(start, 2 * start)
            first = watched.between(start, start + 24 * HOUR_US)
            np.savez(f"{folder}/{name}.npz", reference=reference.values, current=first.values)
            kinds[name] = "category" if series.kind in CATEGORIES else "number"
            ours[name] = _daily(reference, watched, 1)[0]
        command = [options.python, "-W", "ignore", "-c", THERE, folder, json.dumps(kinds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout.splitlines()[-1])
    for name, distance in ours.items():
        print(f"{name:26} ours {distance:.6f} evidently {theirs[name][0]:.6f} {theirs[name][1]}")
    return int(any(abs(ours[name] - theirs[name][0]) > 1e-6 for name in ours))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

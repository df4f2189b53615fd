"""What redaction costs: `python -m load_tests.redaction [FILE.parquet|FILE.txt ...]`.

CPU time for each kilobyte, by kind; with files, of their texts as well.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pyarrow import parquet

from service.privacy.found import KINDS
from service.privacy.redact import Redactor

PLAIN = "The quick brown fox jumps over the lazy dog, and then it goes home again to sleep. "
NUMBERS = "On 12 May 2024 it cost 45.90 EUR, order 2024-1234567, see section 3.2. "
PERSONAL = "Call me at +49 30 901820 or write to anna@example.com; card 4111 1111 1111 1111. "
CODE = "def f(x): return {'key': x[0], 'v': '1.2.3', 'id': 12345678}  # https://a.example/b?c=d\n"
PATHOLOGICAL = ("a@", "1.", "1 ", "eyJ", "::", "DE89 ", "(1", "://a:", "tel 0171 2345678 ", "sk-")


def microseconds(work: Callable[[str], object], texts: Iterable[str]) -> float:
    """CPU time for each kilobyte."""
    chars = spent = 0.0
    for text in texts:
        began = time.process_time()
        work(text)
        spent += time.process_time() - began
        chars += len(text)
    return spent / max(chars, 1) * 1024 * 1e6


def of_file(path: Path) -> Iterator[str]:
    """The texts of a file: the text columns of a Parquet file's first 2,000 rows, or all."""
    if path.suffix != ".parquet":
        yield path.read_text(encoding="utf-8", errors="replace")
        return
    batch: Any = next(parquet.ParquetFile(path).iter_batches(2000))
    for row in batch.to_pylist():
        yield from (value for value in row.values() if isinstance(value, str))


def main() -> None:
    """Prints the table."""
    each = {kind: Redactor([kind], phone_regions=["US"]) for kind in KINDS}
    print(f"{'µs for 1 KB':24}{'all':>8}" + "".join(f"{kind:>8}" for kind in KINDS))
    samples: list[tuple[str, list[str]]] = [
        (name, [(text * 40)[:1024]] * 300)
        for name, text in (
            ("plain", PLAIN), ("numbers", NUMBERS), ("personal", PERSONAL), ("code", CODE),
        )
    ]  # fmt: skip
    samples += [(repr(text), [(text * 100_000)[:100_000]]) for text in PATHOLOGICAL]
    samples += [(Path(name).name[:22], list(of_file(Path(name)))) for name in sys.argv[1:]]
    for name, texts in samples:
        cells = [microseconds(found.find, texts) for found in (Redactor(), *each.values())]
        print(f"{name:24}" + "".join(f"{cell:8.0f}" for cell in cells))


if __name__ == "__main__":
    main()

"""Precision and recall of redaction on the examples: `python -m tests.service.privacy.figures`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from service.privacy.found import KINDS, Found, Kind
from service.privacy.redact import Redactor
from tests.service.privacy.examples import HELD_BACK, SEEN, labelled

BEGIN, END = "<!-- redaction:begin -->\n", "<!-- redaction:end -->"


@dataclass
class Counts:
    """Of one kind: the labelled values, those found whole, all findings, and the right ones."""

    labelled: int = 0
    caught: int = 0
    found: int = 0
    right: int = 0


def counts(examples: Iterable[str]) -> dict[Kind, Counts]:
    """The counts of each kind; a value is caught where a finding of its kind covers it whole."""
    redactor, out = Redactor(), {kind: Counts() for kind in KINDS}
    for example in map(labelled, examples):
        found = redactor.find(example.text)
        for start, stop, kind in example.spans:
            out[kind].labelled += 1
            out[kind].caught += any(_covers(each, start, stop, kind) for each in found)
        for each in found:
            out[each.kind].found += 1
            out[each.kind].right += any(_touches(each, *span) for span in example.spans)
    return out


def faults(examples: Iterable[str]) -> Iterator[str]:
    """What was missed and what was found wrongly, in words."""
    redactor = Redactor()
    for example in map(labelled, examples):
        found = redactor.find(example.text)
        yield from (
            f"missed {kind}: {example.text[a:b]!r} in {example.text!r}"
            for a, b, kind in example.spans
            if not any(_covers(each, a, b, kind) for each in found)
        )
        yield from (
            f"wrong {each.kind}: {each.value!r} in {example.text!r}"
            for each in found
            if not any(_touches(each, *span) for span in example.spans)
        )


def _covers(found: Found, start: int, stop: int, kind: Kind) -> bool:
    return found.kind == kind and found.start <= start and found.stop >= stop


def _touches(found: Found, start: int, stop: int, kind: Kind) -> bool:
    return found.kind == kind and found.start < stop and start < found.stop


def table() -> str:
    """The README's table."""
    sets: Sequence[dict[Kind, Counts]] = (counts(SEEN), counts(HELD_BACK))
    lines = [
        "| kind | recall, seen | precision, seen | recall, held back | precision, held back |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind in KINDS:
        cells = [cell for each in sets for cell in _cells(each[kind])]
        lines.append(f"| `{kind}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(counts: Counts) -> tuple[str, str]:
    return f"{counts.caught} of {counts.labelled}", f"{counts.right} of {counts.found}"


def main() -> None:
    """Prints the table and what went wrong."""
    print(table())
    for name, examples in (("seen", SEEN), ("held back", HELD_BACK)):
        for fault in faults(examples):
            print(f"{name}: {fault}")


if __name__ == "__main__":
    main()

"""The sets that show where the model fails are well formed, and their table says what it should."""

from __future__ import annotations

from scorers.training.probe import Probe, read_probes, table
from scorers.types import Side, Subject


def test_every_set_has_both_kinds() -> None:
    """Each set has bad and good texts, none of them twice."""
    probes = read_probes()

    for name in {probe.set for probe in probes}:
        own = [probe for probe in probes if probe.set == name]
        assert {probe.is_bad for probe in own} == {True, False}
        assert len({probe.subject.text for probe in own}) == len(own)


def test_table_counts_and_names_the_worst() -> None:
    """What is caught and let through is counted; the surest mistake is shown."""
    bad, good = Subject(Side.PROMPT, "a bad one"), Subject(Side.PROMPT, "a good one")
    probes = [Probe("s", "toxic", bad, True), Probe("s", "toxic", good, False)]

    assert "| s | toxic | 1/1 | 0/1 | “a good one” 0.80 |" in table(probes, [0.9, 0.8])
    assert "| s | toxic | 1/1 | 1/1 | – |" in table(probes, [0.9, 0.1])

"""The count of preference pairs that `/metrics` shows."""

from __future__ import annotations

from pathlib import Path

from service.metrics import Metrics
from service.watch.pairing import Pairing
from tests.fakes.local import exchange, local_settings, serving_locally


async def test_the_count_is_that_of_an_export(tmp_path: Path) -> None:
    """A reply thumbed up and one thumbed down, to the same prompt, make one pair."""
    metrics = Metrics()
    async with serving_locally(local_settings(tmp_path)) as local:
        pairing = Pairing(local.state.store, metrics.watch)
        await local.keep(exchange("fl_1"), exchange("fl_2"))
        await pairing.look()
        before = metrics.registry.get_sample_value("fairlead_preference_pairs")
        for ident, rating in (("fl_1", "up"), ("fl_2", "down")):
            mark = {"id": ident, "rating": rating}
            (await local.client.post("/v1/feedback", json=mark)).raise_for_status()
        await pairing.look()

    assert before == 0
    assert metrics.registry.get_sample_value("fairlead_preference_pairs") == 1

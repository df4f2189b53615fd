"""A tiny model is trained end to end: data, training, export, calibration, agreement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from scorers.builtin import HeadMap
from scorers.training.config import Config, Variant
from tests.training.tiny import CLOSED, JUDGED, MEASURED, tiny_config, write_data, write_encoder

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """The configuration of a run that is over: trained, exported and calibrated."""
    from scorers.training.calibrate import calibrate
    from scorers.training.export import export
    from scorers.training.train import train

    folder = tmp_path_factory.mktemp("tiny")
    write_data(folder)
    write_encoder(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRLEAD_TRAINING_ENCODER", str(folder / "encoder"))
        made = tiny_config(folder)
        prepare_all(made)
        train(made, [])
        export(made, made.weights_file)
        calibrate(made)
        yield made


def prepare_all(config: Config) -> None:
    """The rows of every stage and the held-back ones."""
    from tokenizers import Tokenizer

    from scorers.training.prepare import write_held, write_stage
    from scorers.training.pretrained import encoder_folder

    config.work.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    for stage in config.stages:
        write_stage(config, stage, tokenizer)
    write_held(config, tokenizer)


def words_trained_on(config: Config) -> set[str]:
    """Every word of every row of every stage."""
    from tokenizers import Tokenizer

    from scorers.training.pretrained import encoder_folder

    tokenizer = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    ids = {int(i) for s in config.stages for i in np.load(config.rows_file(s))["ids"]}
    return {tokenizer.id_to_token(i) for i in ids}


def test_closed_licences_and_benchmarks_stay_out(config: Config) -> None:
    """No word of the closed source, of calibration's or of the benchmark is in a training batch."""
    found = words_trained_on(config)

    assert len(found) > 300
    assert CLOSED not in found
    assert JUDGED not in found
    assert MEASURED not in found


def test_other_licences_can_be_chosen(config: Config, tmp_path: Path) -> None:
    """The licence filter is a setting: who may use the closed source gets it."""
    other = replace(config, work=tmp_path, licences=config.licences | {"non-commercial"})
    prepare_all(other)

    assert CLOSED in words_trained_on(other)


def test_training_learns(config: Config) -> None:
    """The log has falling losses and, on held-back rows, heads that are better than chance."""
    lines = [json.loads(x) for x in (config.work / "log.jsonl").read_text().splitlines()]
    toxic = [line["loss"]["toxic"] for line in lines if "toxic" in line.get("loss", {})]
    validated = [line["auroc"] for line in lines if "auroc" in line]

    assert min(toxic[-3:]) < min(toxic[:3])
    assert validated[-1]["toxic"] > 0.75
    assert {line["stage"] for line in lines} == {"first", "second"}


def test_stopped_run_goes_on_as_if_it_had_not_been(config: Config, tmp_path: Path) -> None:
    """Stopped twice and resumed, a run ends with the weights of one that ran through."""
    import torch

    from scorers.training.train import Run, open_run, step, train

    straight = torch.load(config.work / "last.pt", weights_only=False)
    cut = replace(config, work=tmp_path)
    prepare_all(cut)
    done = 0

    def stopping(run: Run, batch: object) -> None:
        nonlocal done
        done += 1
        if done in {25, 70}:
            (tmp_path / "stop").touch()
        step(run, batch)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scorers.training.train.step", stopping)
        for _ in range(3):
            (tmp_path / "stop").unlink(missing_ok=True)
            train(cut, [])
    resumed = torch.load(tmp_path / "last.pt", weights_only=False)

    assert open_run(cut).progress.stage == 2
    assert resumed["progress"]["step"] == straight["progress"]["step"]
    for name, value in straight["network"].items():
        torch.testing.assert_close(resumed["network"][name], value)


def test_the_model_is_the_mean_of_its_stages(config: Config) -> None:
    """The weights that are exported lie between those of the two stages, by their shares."""
    import torch

    first, second, mean = (
        torch.load(config.work / name, weights_only=False)["network"]
        for name in ("stage-first.pt", "stage-second.pt", config.weights_file.name)
    )

    assert config.weights_file.name == "mean.pt"
    assert not torch.equal(first["head.weight"], second["head.weight"])
    for name, value in mean.items():
        torch.testing.assert_close(value, 0.25 * first[name] + 0.75 * second[name])


def test_exported_model_agrees_with_the_network(config: Config, tmp_path: Path) -> None:
    """fp32 gives the network's logits; int8 stays near them."""
    import torch

    from scorers.training.batches import Rows
    from scorers.training.export import export
    from scorers.training.scoring import Runner
    from scorers.training.train import forward, open_run
    from scorers.types import Row

    texts = ["You are all worthless.", "The soup was warm and the staff kind.", "Who won in 1990?"]
    exact = replace(config, model=tmp_path)
    export(exact, config.weights_file, ["fp32"])
    rows = [Row(text) for text in texts]
    fine, near = Runner(tmp_path).logits(rows), Runner(config.model).logits(rows)
    run = open_run(config)
    state = torch.load(config.weights_file, map_location=run.device, weights_only=False)
    run.network.load_state_dict(state["network"])
    batch = Rows(config.rows_file(config.stages[1])).batch(np.arange(8))
    run.network.eval()
    logits = forward(run, batch).detach().numpy()

    assert np.isfinite(logits).all()
    assert np.abs(fine - network_logits(run, texts)).max() < 1e-3
    assert np.abs(near - fine).max() < 0.35


def network_logits(run: object, texts: list[str]) -> np.ndarray:
    """The network's own logits of single texts."""
    import torch
    from tokenizers import Tokenizer

    from scorers.training.pretrained import encoder_folder

    tokenizer = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    found = []
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        logits, _ = run.network(ids, torch.ones_like(ids), torch.zeros_like(ids))  # type: ignore[attr-defined]
        found.append(logits.detach().numpy()[0])
    return np.array(found)


def test_calibration_rises_and_thresholds_fall(config: Config) -> None:
    """Every map is monotone in [0, 1]; a higher false-positive rate has a lower threshold."""
    heads = HeadMap.load(config.model)

    assert ("toxic", "prompt") in heads.calibration
    assert ("unsupported", "reply") in heads.calibration
    assert ("unsupported", "long") in heads.calibration
    assert ("sycophantic", "reply") in heads.calibration
    for found in heads.calibration.values():
        assert np.all(np.diff(found.y) >= 0)
        assert found.y.min() >= 0
        assert found.y.max() <= 1
    for table in heads.thresholds.values():
        assert all(a >= b for a, b in pairwise(table.risk))


def test_variant_leaves_out_what_it_says(config: Config) -> None:
    """A variant without a source has none of its rows, one with fewer heads no other labels."""
    from scorers.training.ablate import without

    with np.load(config.rows_file(config.stages[-1])) as found:
        arrays = dict(found)
    made = [str(name).startswith("made_") for name in arrays["names"]]
    rest = without(arrays, Variant("plain", drop=("made_",)), config.heads)
    alone = without(arrays, Variant("alone", heads=("toxic",)), config.heads)

    assert len(rest["labels"]) == (~np.isin(arrays["source"], np.flatnonzero(made))).sum()
    assert np.isnan(rest["labels"][:, config.heads.index("expressed")]).all()
    assert not np.isnan(alone["labels"][:, 0]).any()
    assert np.isnan(alone["labels"][:, 1:]).all()
    assert alone["offsets"][-1] == len(alone["ids"])


def test_ablation_measures_its_heads(config: Config) -> None:
    """A short run gives AUROC of its heads, here and on benchmarks; the long run stays as it is."""
    from scorers.training.ablate import measure, table

    before = (config.work / "last.pt").read_bytes()
    found = measure(config, Variant("alone", heads=("toxic",)))

    assert set(found) == {"toxic", "hatecheck"}
    assert 0.0 <= found["hatecheck"] <= 1.0
    assert f"| alone | {found['toxic']:.3f} |" in table({"alone": found}, config.heads)
    assert (config.work / "last.pt").read_bytes() == before


def test_text_is_as_bad_as_its_worst_row() -> None:
    """A benchmark's figure holds the highest logit of each text's rows against its label."""
    from scorers.training.transfer import Part, Texts, figures

    part = Part("hatecheck", "harm", "harm", 0)
    texts = Texts(part, np.array([0, 0, 1, 2]), np.array([1.0, 0.0, 0.0]))
    logits = np.array([[9.0, -2.0], [9.0, 3.0], [0.0, 1.0], [0.0, 2.0]])

    assert figures([texts], logits, ["toxic", "harm"]) == {"hatecheck": 1.0}
    assert figures([texts], logits[[0, 0, 1, 2]], ["toxic", "harm"]) == {"hatecheck": 0.0}


def test_bag_of_words_sees_the_last_text_alone() -> None:
    """Of a pair only the second text is left, of a lone text all of it, both without their ends."""
    from scorers.training.baselines import last_texts

    arrays = {
        "ids": np.array([2, 7, 8, 3, 9, 10, 3, 2, 11, 3]),
        "types": np.array([0, 0, 0, 0, 1, 1, 1, 0, 0, 0]),
        "offsets": np.array([0, 7, 10]),
    }

    assert [found.tolist() for found in last_texts(arrays)] == [[9, 10], [11]]


def test_bags_of_words_stand_beside_the_shipped_scores(config: Config) -> None:
    """Words that give a fault away are found, and shown with what `evaluate` found on them."""
    from tokenizers import Tokenizer

    from scorers.training.baselines import fitted, measured, table
    from scorers.training.pretrained import encoder_folder

    tokenizer = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
    bags = fitted(config)
    judged, *_ = measured(config, bags, tokenizer, name="hatecheck", limit=0)
    found = judged.parts[0].figures["auroc"]
    assert {"toxic", "unsupported", "sycophantic", "expressed"} <= set(bags)
    assert found.value > 0.95
    assert table(config, [("hatecheck", judged)]).endswith(f"{found.high:.3f}] | – |")

    known = {"benchmark": "hatecheck"} | judged.to_dict()
    path = config.work / "evaluation.json"
    path.write_text(json.dumps({"judgements": [known]}), encoding="utf-8")
    row = table(config, [("hatecheck", judged)]).splitlines()[-1].split(" | ")
    assert row[-2] == row[-1].removesuffix(" |")

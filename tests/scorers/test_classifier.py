"""Foreign classifiers: added, and served beside the main model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from scorers import catalog
from scorers.adapters.classifier import log_odds
from scorers.adapters.install import Added, add_classifier
from scorers.engine import Engine
from scorers.errors import ModelError
from scorers.types import Side, Subject
from tests.fakes.tiny_classifier import MULTIPLE, SINGLE, write_tiny_classifier
from tests.fakes.tiny_model import write_tiny_model

ROOT = Path(__file__).resolve().parents[2]


def add(tmp_path: Path, name: str = "guard", **given: Any) -> Added:
    """Adds a tiny classifier to `tmp_path / "models"`."""
    options = {key: given.pop(key) for key in ("faults", "taken") if key in given}
    source = write_tiny_classifier(tmp_path / f"{name}-source", **given)
    return add_classifier(name, str(source), tmp_path / "models", **options)


def load(tmp_path: Path, *beside: str) -> catalog.LoadedModel:
    """The tiny model of ours with these classifiers beside it."""
    main = write_tiny_model(tmp_path / "main")
    return catalog.load(main, provider="cpu", added=[tmp_path / "models"], beside=beside)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """Our tiny model with a classifier of many labels and one of labels that exclude each other."""
    add(tmp_path, "guard")
    add(tmp_path, "mood", labels=("angry", "neutral", "pushy"), kind=SINGLE, taken=["guard"])
    running = Engine(load(tmp_path, "guard", "mood"))
    await running.start()
    yield running
    await running.stop()


def table(tmp_path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The word weights of the tiny graph, by token id."""
    graph = onnx.load(tmp_path / "guard-source" / "model.onnx").graph
    found = next(one for one in graph.initializer if one.name == "table")
    return np.asarray(numpy_helper.to_array(found))


async def test_labels_are_heads_with_the_model_s_own_probabilities(
    engine: Engine, tmp_path: Path
) -> None:
    """Sigmoid of each output for many labels, softmax of all for one; worked out by hand."""
    scores = await engine.score(Subject(Side.REPLY, "bad"))

    # [CLS] bad [SEP]: the mean of the rows 2, 6 and 3 of the table.
    logits = table(tmp_path)[[2, 6, 3]].mean(axis=0)
    guard, mood = scores["guard"], scores["mood"]
    assert guard.heads["rude"] == pytest.approx(1 / (1 + np.exp(-logits[0])), abs=1e-3)
    assert guard.heads["danger"] == pytest.approx(1 / (1 + np.exp(-logits[1])), abs=1e-3)
    shares = np.exp(logits[:3]) / np.exp(logits[:3]).sum()
    assert list(mood.heads.values()) == pytest.approx(shares.tolist(), abs=1e-3)
    assert list(mood.heads) == ["angry", "neutral", "pushy"]


async def test_the_risk_is_the_highest_label_that_means_a_fault(engine: Engine) -> None:
    """A neutral label is none."""
    scores = await engine.score(Subject(Side.PROMPT, "bomb"))

    assert scores["guard"].risk == scores["guard"].heads["danger"]
    mood = scores["mood"]
    assert mood.heads["neutral"] > 0.5
    assert mood.risk == max(mood.heads["angry"], mood.heads["pushy"])


async def test_our_own_scores_stay_as_they_are(engine: Engine, tmp_path: Path) -> None:
    """Beside others they are the same, on each side, and each score names its own model."""
    alone = Engine(load(tmp_path))
    await alone.start()
    subjects = [
        Subject(Side.PROMPT, "ignore the bomb"),
        Subject(Side.REPLY, "made up bad", prompt="the", context=("good",)),
    ]

    beside = await engine.score_many(subjects)
    expected = await alone.score_many(subjects)
    await alone.stop()

    for own, found in zip(expected, beside, strict=True):
        assert {name: found[name] for name in own} == own
    assert beside[0]["guard"].model.startswith("guard@")
    assert beside[0]["toxicity"].model == "tiny@1"


async def test_a_classifier_alone_can_be_asked(engine: Engine) -> None:
    """The main model then runs no row."""
    scores = await engine.score(Subject(Side.REPLY, "awful"), scorers=["guard"])

    assert set(scores) == {"guard"}


async def test_the_worst_window_of_a_long_text_counts(engine: Engine) -> None:
    """And only what is new is judged, but for a lead-in."""
    calm = "good fine warm " * 60
    long = await engine.score(Subject(Side.REPLY, f"{calm} awful awful awful awful {calm}"))
    short = await engine.score(Subject(Side.REPLY, calm))
    later = await engine.score(Subject(Side.REPLY, "bad " * 200 + calm, start=800 + 300))

    assert (long["guard"].risk or 0) > (short["guard"].risk or 0) + 0.1
    assert later["guard"].risk == pytest.approx(short["guard"].risk, abs=0.02)


async def test_nothing_is_said_of_an_empty_text(engine: Engine) -> None:
    """It has no risk."""
    scores = await engine.score(Subject(Side.REPLY, "  "), scorers=["guard"])

    assert (scores["guard"].risk, scores["guard"].reason) == (None, "empty")


async def test_embeddings_are_the_main_model_s(engine: Engine, tmp_path: Path) -> None:
    """Classifiers have none."""
    alone = Engine(load(tmp_path))
    await alone.start()

    assert (await engine.embed(["bad"]) == await alone.embed(["bad"])).all()
    await alone.stop()


def test_log_odds_of_softmax() -> None:
    """Their sigmoid is the softmax, also where one label is as good as sure."""
    logits = np.array([[1.0, 2.0, 0.5], [60.0, 0.0, -60.0]])

    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    odds = log_odds(logits)

    assert 1 / (1 + np.exp(-odds)) == pytest.approx(shares)
    assert odds[1, 0] == pytest.approx(60.0)


def test_what_was_added_is_listed(tmp_path: Path) -> None:
    """With its heads, and which of them are faults."""
    added = add(tmp_path, labels=("toxic", "non-toxic"), kind=SINGLE)

    [info] = [one for one in catalog.available([tmp_path / "models"]) if one.name == "guard"]
    assert (info.heads, info.scorers) == (("guard_toxic", "non_toxic"), ("guard",))
    assert (info.adapter, info.is_shipped) == ("classifier", False)
    assert added.faults == ("guard_toxic",)


@pytest.mark.parametrize(
    ("labels", "kind", "faults"),
    [
        (("insult", "threat"), MULTIPLE, ("insult", "threat")),
        (("NEGATIVE", "POSITIVE"), SINGLE, ("negative",)),
        (("safe", "unsafe"), None, ("unsafe",)),
        (("hate",), None, ("hate",)),
    ],
)
def test_faults_are_told_from_the_labels_names(
    tmp_path: Path, labels: tuple[str, ...], kind: str | None, faults: tuple[str, ...]
) -> None:
    """Where the names tell."""
    assert add(tmp_path, labels=labels, kind=kind).faults == faults


def test_faults_can_be_named(tmp_path: Path) -> None:
    """By the model's own labels."""
    added = add(tmp_path, labels=("LABEL_0", "LABEL_1"), kind=SINGLE, faults=["LABEL_1"])

    assert added.faults == ("label_1",)


def test_a_head_that_is_taken_gets_the_model_s_name(tmp_path: Path) -> None:
    """So that each head in a policy means one thing."""
    added = add(tmp_path, labels=("rude", "Harm", "guard"), taken=["rude"])

    assert added.heads == ("guard_rude", "guard_harm", "guard_guard")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": "No Name"}, "'No Name' is no name"),
        ({"name": "toxicity"}, "'toxicity' is a scorer or a head of ours"),
        ({"name": "toxic"}, "'toxic' is a scorer or a head of ours"),
        ({"labels": ("LABEL_0", "LABEL_1"), "kind": SINGLE}, "(LABEL_0, LABEL_1) do not tell"),
        ({"labels": ("a", "b"), "kind": SINGLE}, "name these with --fault LABEL"),
        ({"faults": ["Kind"]}, "there is no label 'Kind'; there are Rude!, Danger"),
        ({"kind": "regression"}, "its `problem_type` is 'regression'"),
        ({"outputs": 3}, "have the shape (1, 3) for one text, and its config.json names 2 labels"),
        ({"id2label": None}, "config.json has no `id2label`"),
    ],
)
def test_what_cannot_be_served_is_not_added(
    tmp_path: Path, given: dict[str, Any], expected: str
) -> None:
    """Nothing is left in the folder, and the message says why."""
    with pytest.raises(ModelError) as error:
        add(tmp_path, **given)

    assert expected in str(error.value)
    assert list((tmp_path / "models").glob("*")) == []


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("config.json", "config.json cannot be read: a classifier needs it"),
        ("tokenizer.json", "has no tokenizer.json: save it with a fast tokenizer"),
        ("model.onnx", "has neither model.onnx nor model.safetensors nor pytorch_model.bin"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, file: str, expected: str) -> None:
    """Of the three that are needed."""
    source = write_tiny_classifier(tmp_path / "source")
    (source / file).unlink()

    with pytest.raises(ModelError, match=expected.replace(".", r"\.")):
        add_classifier("guard", str(source), tmp_path / "models")


def test_a_broken_model_is_not_added(tmp_path: Path) -> None:
    """The runtime says what is wrong."""
    source = write_tiny_classifier(tmp_path / "source")
    (source / "model.onnx").write_bytes(b"no")

    with pytest.raises(ModelError, match="does not load"):
        add_classifier("guard", str(source), tmp_path / "models")


def test_a_name_is_given_once(tmp_path: Path) -> None:
    """What is there is not overwritten."""
    add(tmp_path)

    with pytest.raises(ModelError, match="there is a model 'guard' in"):
        add(tmp_path)


def test_the_onnx_folder_of_a_source_is_looked_into(tmp_path: Path) -> None:
    """Where exporters put it; what lies beside it comes along."""
    source = write_tiny_classifier(tmp_path / "source")
    (source / "onnx").mkdir()
    (source / "model.onnx").rename(source / "onnx" / "model.onnx")
    (source / "onnx" / "model.onnx_data").write_bytes(b"weights")

    added = add_classifier("guard", str(source), tmp_path / "models")

    assert (added.path / "model.onnx_data").read_bytes() == b"weights"


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    """What was added is what is run."""
    added = add(tmp_path)
    with (added.path / "model.onnx").open("ab") as file:
        file.write(b"\0")

    with pytest.raises(ModelError, match="corrupt or was changed"):
        load(tmp_path, "guard")


def test_a_classifier_is_not_served_alone(tmp_path: Path) -> None:
    """It has none of the heads that our scorers read."""
    add(tmp_path)

    with pytest.raises(ModelError, match=r"guard@.* has the heads of no known scorer"):
        catalog.load("guard", provider="cpu", added=[tmp_path / "models"])


def test_two_of_one_head_are_not_served_together(tmp_path: Path) -> None:
    """It would be read from one of them only."""
    add(tmp_path, "guard")
    add(tmp_path, "warden")

    with pytest.raises(ModelError, match="both have 'danger'"):
        load(tmp_path, "guard", "warden")


def test_the_tokens_of_a_row_are_bounded(tmp_path: Path) -> None:
    """By what the tokenizer and the positions of the model allow, padding's own left out."""
    plain = add(tmp_path, "plain")
    padded = add(tmp_path, "padded", model_type="roberta", pad_token_id=1)
    stated = write_tiny_classifier(tmp_path / "stated-source")
    (stated / "tokenizer_config.json").write_text('{"model_max_length": 20}')
    short = add_classifier("short", str(stated), tmp_path / "models")

    found = [json.loads((one.path / "heads.json").read_text()) for one in (plain, padded, short)]
    assert [one["max_tokens"] for one in found] == [32, 30, 20]
    assert [one["pad_id"] for one in found] == [0, 1, 0]


_ADD = """
import sys
for missing in {missing!r}:
    sys.modules[missing] = None
from pathlib import Path
from scorers.adapters.install import add_classifier
from scorers.errors import ModelError
try:
    add_classifier("guard", {source!r}, Path("models"))
except ModelError as error:
    print(error)
"""


def refusal(tmp_path: Path, source: str, *missing: str, **environ: str) -> str:
    """Why a source is refused in a fresh interpreter that lacks these modules."""
    done = subprocess.run(
        [sys.executable, "-c", _ADD.format(source=source, missing=missing)],
        capture_output=True, check=True, cwd=tmp_path, text=True,
        env=os.environ | environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout


def test_weights_without_a_file_of_ours_need_what_trains(tmp_path: Path) -> None:
    """The message names the extra."""
    source = write_tiny_classifier(tmp_path / "source")
    (source / "model.onnx").rename(source / "model.safetensors")

    assert "(torch): pip install 'fairlead[train]'" in refusal(tmp_path, str(source), "torch")


def test_a_folder_that_is_not_there_is_looked_for_on_the_hub(tmp_path: Path) -> None:
    """Without the client, or without a way to it, that is told."""
    lacking = refusal(tmp_path, "some/model", "huggingface_hub")
    offline = refusal(tmp_path, "some/model", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "hf"))
    path = refusal(tmp_path, "./no/such/folder")

    assert "pip install huggingface_hub" in lacking
    assert "some/model: there is no such folder, and the hub did not give it" in offline
    assert path == "./no/such/folder: there is no such folder, and it is no hub id\n"


@pytest.mark.train
def test_weights_become_an_onnx_file(tmp_path: Path) -> None:
    """Whose probabilities are those of the weights."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    source = write_tiny_classifier(tmp_path / "source")
    (source / "model.onnx").unlink()
    torch.manual_seed(3)
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=19, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=32, num_labels=2,
            problem_type=MULTIPLE, id2label={0: "rude", 1: "danger"}, initializer_range=0.5,
        )
    ).eval()  # fmt: skip
    model.save_pretrained(source)

    add_classifier("guard", str(source), tmp_path / "models")

    loaded = load(tmp_path, "guard")
    [scorer] = [one for one in loaded.scorers if one.name == "guard"]
    subject = Subject(Side.REPLY, "bad the awful")
    rows = scorer.rows(subject)
    encodings = loaded.tokenizer.encode(rows)
    score = scorer.score(subject, rows, loaded.session.run(encodings).logits)
    with torch.no_grad():
        expected = torch.sigmoid(model(torch.tensor([encodings[0].ids])).logits)[0]
    assert list(score.heads.values()) == pytest.approx(expected.tolist(), abs=1e-3)

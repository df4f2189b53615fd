"""`fairlead evaluate`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from service.cli import main
from tests.fakes.tiny_classifier import write_tiny_classifier
from tests.fakes.tiny_model import SEVEN_HEADS, write_tiny_model

Evaluate = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).resolve().parents[2]

TOXIC = [
    {"role": "prompt", "text": "bad awful", "toxic": 1.0, "harm": None, "source": "chat"},
    {"role": "prompt", "text": "good the", "toxic": 0.0, "source": "chat"},
    {"role": "response", "text": "awful", "toxic": 1.0, "harm": 0.0, "source": "forum"},
    {"role": "response", "text": "fine", "toxic": 0.0, "harm": None, "source": "forum"},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny model with every head."""
    return str(write_tiny_model(tmp_path_factory.mktemp("models") / "t", heads=SEVEN_HEADS))


@pytest.fixture
def evaluate(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Evaluate:
    """Runs the command in an empty folder with the tiny model: exit code, output, errors."""
    for name in [name for name in os.environ if name.startswith("FAIRLEAD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def running(*argv: str, model: str = model) -> tuple[int, str, str]:
        try:
            code = main(("evaluate", *argv, "--model", model))
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return running


def write(name: str, rows: list[dict[str, Any]]) -> str:
    """A file of rows in the current folder."""
    path = Path(name)
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return name


def report_of(evaluate: Evaluate, *argv: str) -> dict[str, Any]:
    """What the command writes as JSON."""
    code, _, err = evaluate(*argv, "--json", "out.json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(Path("out.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", ["some.jsonl", "some.parquet"])
def test_a_scorer_that_is_right_has_perfect_figures(evaluate: Evaluate, name: str) -> None:
    """Pooled and by source, from either kind of file, each label against its head."""
    found = report_of(evaluate, write(name, TOXIC), "--scorer", "toxicity")

    assert (found["model"], found["scorer"], found["files"]) == ("tiny@1", "toxicity", [name])
    judged = {(one["label"], one["score"]): one for one in found["judgements"]}
    assert set(judged) == {
        ("toxic", "toxicity.toxic"), ("harm", "toxicity.harm"), ("harm", "toxicity.risk"),
    }  # fmt: skip
    toxic = judged["toxic", "toxicity.toxic"]
    parts = {(part["by"], part["name"]): part for part in toxic["parts"]}
    assert parts["pooled", "all"]["texts"] == 4
    assert parts["pooled", "all"]["positives"] == 2
    for at in (("pooled", "all"), ("source", "chat"), ("source", "forum"), ("role", "prompt")):
        for figure in ("auroc", "average_precision", "best_f1", "recall_at_1pct_fpr"):
            assert parts[at]["figures"][figure] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert judged["harm", "toxicity.harm"]["parts"][0]["note"] == "no text has the fault"


def test_the_thresholds_are_the_policy_s_and_the_model_s(evaluate: Evaluate) -> None:
    """And it is said where they come from."""
    found = report_of(evaluate, write("t.jsonl", TOXIC), "--scorer", "toxicity", "--head", "toxic")

    (judged,) = found["judgements"]
    assert judged["thresholds"] == {
        "prompt": {
            "shipped": 0.8, "origin": "default policy: prompt.toxicity.flag", "1pct_threshold": 0.9,
        },
        "reply": {
            "shipped": 0.5, "origin": "default policy: reply.toxicity.flag", "1pct_threshold": 0.9,
        },
    }  # fmt: skip


def test_a_policy_of_one_s_own_is_evaluated(evaluate: Evaluate) -> None:
    """Its threshold is the one that F1 is measured at; without a rule it is one half."""
    rows = write("t.jsonl", TOXIC)
    for rules, shipped, f1 in (("toxic: {veto: 0.999}", 0.999, 0.8), ("", 0.5, 1.0)):
        Path("f.yaml").write_text(
            f"policies: {{default: {{prompt: {{{rules}}}, reply: {{{rules}}}}}}}", encoding="utf-8"
        )
        found = report_of(
            evaluate, rows, "--scorer", "toxicity", "--head", "toxic", "--config", "f.yaml"
        )
        (judged,) = found["judgements"]
        assert judged["thresholds"]["reply"]["shipped"] == shipped
        assert judged["parts"][0]["figures"]["f1"]["value"] <= f1


def test_faithfulness_stands_beside_the_untrained_rule(evaluate: Evaluate) -> None:
    """A row without a context is left out, and that is told."""
    rows = write(
        "f.jsonl",
        [
            {"context": "warm good", "response": "made up", "unfaithful": 1},
            {"context": "warm good", "response": "warm good", "unfaithful": 0},
            {"context": "", "response": "warm", "unfaithful": 0},
        ],
    )

    found = report_of(evaluate, rows, "--scorer", "faithfulness")
    _, out, _ = evaluate(rows, "--scorer", "faithfulness")

    (judged,) = found["judgements"]
    assert judged["left_out"] == {"no_context": 1}
    assert judged["parts"][0]["figures"]["auroc"]["value"] == 1.0
    assert judged["parts"][0]["baseline_auroc"] == 1.0
    assert "left out: 1 texts without a score (no_context)" in out
    assert "novel-word AUROC" in " ".join(out.split())


def test_sycophancy_is_told_by_kind(evaluate: Evaluate) -> None:
    """Also where there is only one."""
    rows = write(
        "s.jsonl",
        [
            {"prompt": "User: the a", "response": "agree", "sycophantic": 0.5, "kind": "k"},
            {"prompt": "User: the a", "response": "fine", "sycophantic": 0.4, "kind": "k"},
        ],
    )

    (judged,) = report_of(evaluate, rows, "--scorer", "sycophancy")["judgements"]

    assert [(part["by"], part["name"]) for part in judged["parts"]] == [
        ("pooled", "s"), ("kind", "k"),
    ]  # fmt: skip
    assert judged["parts"][1]["figures"]["auroc"]["value"] == 1.0
    assert judged["thresholds"]["reply"]["origin"] == "default policy: reply.sycophancy.flag"


def test_confidence_is_held_against_ratings(evaluate: Evaluate) -> None:
    """Published and raw ones, seen and unseen questions apart, and against what was right."""
    rows = write(
        "c.jsonl",
        [
            {
                "prompt": "the",
                "response": text,
                "expressed_confidence": rating,
                "correct": float(rating > 0.5),
                "split": f"question_{seen}|raw5_mean={100 * rating:.1f}",
            }
            for text, rating in (("surely", 0.9), ("surely a a", 0.6), ("a a a", 0.1))
            for seen in ("seen", "unseen")
        ],
    )

    judged = report_of(evaluate, rows, "--scorer", "confidence")["judgements"]

    assert [(one["label"], one["kind"]) for one in judged] == [
        ("expressed_confidence", "rating"), ("raw5_mean", "rating"), ("correct", "fault"),
    ]  # fmt: skip
    for one in judged[:2]:
        assert [part["name"] for part in one["parts"]] == ["c", "question_seen", "question_unseen"]
        assert all(part["figures"]["spearman"]["value"] == 1.0 for part in one["parts"])
    assert judged[2]["parts"][0]["figures"]["auroc"]["value"] == 1.0


def test_the_table_says_what_the_figures_are(evaluate: Evaluate) -> None:
    """With their intervals, the threshold, and dashes with the reason."""
    code, out, err = evaluate(write("t.jsonl", TOXIC), "--scorer", "toxicity")

    assert code == 0
    assert "toxicity.toxic held against `toxic`" in out
    assert "threshold on a prompt: 0.800 (default policy: prompt.toxicity.flag)" in out
    assert "[1.000, 1.000]" in out
    assert "  – forum: no text has the fault" in out
    assert "4/4" in err


def test_the_diagram_is_a_png(evaluate: Evaluate) -> None:
    """Also where a judgement has no text with a score."""
    rows = [*TOXIC, {"role": "prompt", "text": " ", "injection": 1.0}]

    code, _, err = evaluate(write("t.jsonl", rows), "--scorer", "toxicity", "--plot", "out.png")

    assert code == 0, err
    assert Path("out.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            ("--scorer", "beauty"),
            "there is no scorer 'beauty'; known: toxicity, faithfulness, syco",
        ),
        (("--scorer", "toxicity", "--head", "x"), "no head 'x' to judge; it has toxic, harm, risk"),
        (("--scorer", "toxicity", "--json", "no/such.json"), "such.json: cannot be written there"),
        (("--scorer", "toxicity", "--plot", "no/such.png"), "such.png: cannot be written there"),
        (("--scorer", "sycophancy"), "no row has a label for sycophancy (`sycophantic`); the colu"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    evaluate: Evaluate, argv: tuple[str, ...], expected: str
) -> None:
    """Exit code 2, before anything is scored."""
    code, out, err = evaluate(write("t.jsonl", TOXIC), *argv)

    assert (code, out) == (2, "")
    assert err.startswith("fairlead: ")
    assert expected in err
    assert "scoring" not in err


def test_a_file_that_is_not_there_is_named(evaluate: Evaluate) -> None:
    """Also as the second of two."""
    code, _, err = evaluate(write("t.jsonl", TOXIC), "gone.jsonl", "--scorer", "toxicity")

    assert code == 2
    assert "gone.jsonl: there is no such file" in err


def test_a_scorer_that_the_model_lacks_is_named(evaluate: Evaluate, tmp_path: Path) -> None:
    """With those that it has."""
    four = str(write_tiny_model(tmp_path / "four"))

    code, _, err = evaluate(write("t.jsonl", TOXIC), "--scorer", "sycophancy", model=four)

    assert code == 2
    assert "the model tiny@1 has no scorer 'sycophancy'; it has toxicity, faithfulness" in err


def test_a_wrong_row_is_named(evaluate: Evaluate) -> None:
    """By file and number."""
    rows = [*TOXIC, {"role": "prompt", "text": "x", "toxic": 7}]

    code, _, err = evaluate(write("t.jsonl", rows), "--scorer", "toxicity")

    assert code == 2
    assert "t.jsonl: row 5: `toxic` is 7 and no number from 0 to 1" in err


_WITHOUT = """
import sys
sys.modules[{missing!r}] = None
from service.cli import main
sys.exit(main({argv!r}))
"""


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("pyarrow", "pip install 'fairlead[parquet]'"),
        ("matplotlib", "--plot needs matplotlib: pip install 'fairlead[plot]'"),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(
    model: str, tmp_path: Path, missing: str, expected: str
) -> None:
    """Before anything is scored."""
    (tmp_path / "t.jsonl").write_text(json.dumps(TOXIC[0]), encoding="utf-8")
    argv = ["evaluate", "t.jsonl", "--scorer", "toxicity", "--model", model, "--plot", "o.png"]
    program = _WITHOUT.format(missing=missing, argv=argv)

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, check=False, cwd=tmp_path, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert done.returncode == 2
    assert done.stderr.startswith("fairlead: ")
    assert expected in done.stderr


def test_an_added_classifier_is_judged_by_columns_of_its_heads(
    evaluate: Evaluate, tmp_path: Path
) -> None:
    """And its risk by the column that has its name; the score names the classifier."""
    source = write_tiny_classifier(tmp_path / "source")
    main(("models", "add", "guard", str(source)))
    rows = write(
        "g.jsonl",
        [
            {"role": "prompt", "text": "bad", "rude": 1, "guard": 1},
            {"response": "bomb", "rude": 0, "guard": 1},
            {"response": "warm", "rude": 0, "guard": 0},
        ],
    )

    found = report_of(evaluate, rows, "--scorer", "guard")
    wrong = evaluate(rows, "--scorer", "beauty")

    assert found["model"].startswith("guard@")
    assert [(one["label"], one["score"]) for one in found["judgements"]] == [
        ("rude", "guard.rude"), ("guard", "guard.risk"),
    ]  # fmt: skip
    for one in found["judgements"]:
        assert one["parts"][0]["figures"]["auroc"]["value"] == 1.0
        assert one["thresholds"]["reply"]["shipped"] == 0.5
    assert "known: toxicity, faithfulness, sycophancy, confidence, guard" in wrong[2]

"""`fairlead models add`, and what was added in policies."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scorers.adapters.install import add_classifier
from scorers.types import Side
from service.added_models import needed
from service.cli import main
from service.commands.models import compiled
from service.settings import Settings
from tests.fakes.local import local_settings, serving_locally
from tests.fakes.proxy import ask
from tests.fakes.scripts import plain
from tests.fakes.tiny_classifier import SINGLE, write_tiny_classifier
from tests.fakes.tiny_model import write_tiny_model
from tests.fakes.upstream import Upstream

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in an empty folder with a tiny main model: exit code, output, errors."""
    for name in [name for name in os.environ if name.startswith("FAIRLEAD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FAIRLEAD_SCORING__MODEL", str(write_tiny_model(tmp_path / "main")))
    monkeypatch.chdir(tmp_path)

    def running(*argv: str) -> tuple[int, str, str]:
        code = main(argv)
        out, err = capsys.readouterr()
        return code, out, err

    return running


def test_a_classifier_is_added_and_listed(run: Run, tmp_path: Path) -> None:
    """What counts as a fault is said, since it was guessed."""
    source = write_tiny_classifier(tmp_path / "source", ("calm", "angry"), kind=SINGLE)

    code, out, _ = run("models", "add", "mood", str(source), "--fault", "angry")
    _, listed, _ = run("models", "list")

    assert code == 0
    assert out.startswith("mood in fairlead-models/mood; heads: calm, angry\n")
    assert "its risk is the highest of: angry\n" in out
    line = next(line for line in listed.splitlines() if line.startswith("mood"))
    assert "calm, angry" in line


def test_what_cannot_be_added_is_one_clear_line(run: Run, tmp_path: Path) -> None:
    """Exit code 1, no trace."""
    source = write_tiny_classifier(tmp_path / "source", ("LABEL_0", "LABEL_1"), kind=SINGLE)

    code, _, err = run("models", "add", "mood", str(source))

    assert code == 1
    assert err.startswith("fairlead: the labels (LABEL_0, LABEL_1) do not tell which")
    assert not Path("fairlead-models/mood").exists()


def test_heads_of_two_added_models_differ(run: Run, tmp_path: Path) -> None:
    """The second is called by its model too, so both can be served."""
    source = str(write_tiny_classifier(tmp_path / "source"))
    run("models", "add", "guard", source)

    _, out, _ = run("models", "add", "warden", source)

    assert "heads: warden_rude, warden_danger" in out
    settings = Settings.model_validate(
        {
            "scoring": {"model": str(tmp_path / "main")},
            "policies": {"default": {"reply": {"guard": {"flag": 0.5}, "warden": {"flag": 0.5}}}},
        }
    )
    assert needed(settings) == ("guard", "warden")
    assert len(compiled(settings).by_name["default"].rules[Side.REPLY]) == 2


def test_only_what_a_policy_names_is_loaded(run: Run, tmp_path: Path) -> None:
    """By the model's name, by one of its heads, or by both."""
    run("models", "add", "guard", str(write_tiny_classifier(tmp_path / "source")))

    def found(rule: str) -> tuple[str, ...]:
        policy = {"default": {"prompt": {rule: {"flag": 0.5}}}}
        return needed(Settings.model_validate({"policies": policy}))

    assert [found(rule) for rule in ("guard", "rude", "guard.rude", "toxicity")] == [
        ("guard",), ("guard",), ("guard",), (),
    ]  # fmt: skip


def test_a_policy_may_name_it_and_its_heads(run: Run, tmp_path: Path) -> None:
    """`config check` knows it as serving does; a rate is refused, since none is stated."""
    run("models", "add", "guard", str(write_tiny_classifier(tmp_path / "source")))
    path = tmp_path / "f.yaml"
    text = "policies: {default: {reply: {guard: {veto: 0.9}, guard.rude: {flag: %s}}}}"

    path.write_text(text % "0.5", encoding="utf-8")
    good = run("config", "check", str(path))
    path.write_text(text % "{fpr: 0.01}", encoding="utf-8")
    rate = run("config", "check", str(path))

    assert good[0] == 0
    assert rate[0] == 2
    assert "no thresholds for 'rude' on the reply side" in rate[2]


def test_it_scores_beside_our_own(run: Run, tmp_path: Path) -> None:
    """One exchange and a file of them, with a column for each of its heads."""
    run("models", "add", "guard", str(write_tiny_classifier(tmp_path / "source")))
    Path("in.jsonl").write_text('{"response": "bad awful"}\n', encoding="utf-8")

    _, out, _ = run("score", "--response", "bad awful", "--json")
    code, _, err = run("score", "--input", "in.jsonl", "--output", "out.jsonl")

    assert code == 0, err
    [guard] = [one for one in json.loads(out) if one["scorer"] == "guard"]
    row = json.loads(Path("out.jsonl").read_text(encoding="utf-8"))
    assert row["guard.rude"] == guard["heads"]["rude"] == guard["risk"] > 0.8
    assert row["guard.danger"] < 0.6
    assert row["toxicity.toxic"] > 0.5


async def test_it_vetoes_in_the_proxy(tmp_path: Path, upstream: Upstream) -> None:
    """By its own name in the policy, beside our scorers; the record names its version."""
    source = write_tiny_classifier(tmp_path / "source")
    added = add_classifier("guard", str(source), tmp_path / "models")
    settings = local_settings(
        tmp_path,
        policies={
            "default": {
                "deadline_ms": 60_000,
                "prompt": {},
                "reply": {"guard.rude": {"veto": 0.8}, "toxicity": {"flag": 0.99}},
            }
        },
        upstreams=[{"url": upstream.url}],
        scoring={
            "model": str(write_tiny_model(tmp_path / "main")),
            "models_dir": str(added.path.parent),
        },
    )
    async with serving_locally(settings) as local:
        upstream.script = plain("bad awful")
        bad = await local.client.post("/v1/chat/completions", json=ask("the"))
        upstream.script = plain("bomb bomb")
        good = await local.client.post("/v1/chat/completions", json=ask("the"))
        found = await local.client.get(f"/v1/interactions/{bad.headers['x-fairlead-id']}")
        ready = (await local.client.get("/readyz")).json()

    assert bad.json()["choices"][0]["finish_reason"] == "content_filter"
    assert good.headers["x-fairlead-verdict"] == "allow"
    [score] = [one for one in found.json()["scores"] if one["scorer"] == "guard.rude"]
    assert (score["verdict"], score["veto_threshold"]) == ("veto", 0.8)
    assert score["model"].startswith("guard@")
    assert ready["parts"]["scorers"]["scorers"] == ["guard", "toxicity"]

"""The command line."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from pyarrow import parquet

from service.cli import main
from service.commands.export import moment_us
from storage import migrate
from storage.ids import new_id, now_us
from storage.keys import hash_key
from storage.records import ComparisonRecord, KeyRecord
from storage.store import Store
from tests.fakes.local import exchange
from tests.fakes.tiny_model import SEVEN_HEADS, write_tiny_model

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The store that the commands use; nothing else of the environment counts."""
    for name in [name for name in os.environ if name.startswith("FAIRLEAD_")]:
        monkeypatch.delenv(name)
    found = f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}"
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", found)
    monkeypatch.chdir(tmp_path)
    return found


@pytest.fixture
def run(url: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: exit code, output, errors."""

    def running(*argv: str) -> tuple[int, str, str]:
        try:
            code = main(argv)
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return running


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny model."""
    return str(write_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


def keys(url: str) -> list[KeyRecord]:
    """The keys in the store."""

    async def read() -> list[KeyRecord]:
        store = await Store.open(url)
        async with store.reading() as unit:
            found = await unit.keys.all()
        await store.close()
        return found

    return asyncio.run(read())


def fill(url: str) -> None:
    """Records two replies to one prompt, and that the second is the better."""

    async def write() -> None:
        await migrate.upgrade(url)
        store = await Store.open(url)
        preferred = ComparisonRecord(
            id=new_id("cmp"), created_us=now_us(),
            chosen_interaction_id="fl_2", rejected_interaction_id="fl_1",
        )  # fmt: skip
        async with store.writing() as unit:
            for ident in ("fl_1", "fl_2"):
                await unit.interactions.add(exchange(ident))
            await unit.comparisons.add(preferred)
        await store.close()

    asyncio.run(write())


@pytest.mark.parametrize(
    "argv", [(), ("fly",), ("serve", "--port", "many"), ("keys",), ("export", "dpo")]
)
def test_bad_usage_ends_with_2(run: Run, argv: tuple[str, ...]) -> None:
    """The usage is shown, and what was expected."""
    code, out, err = run(*argv)

    assert (code, out) == (2, "")
    assert err.startswith("usage: fairlead")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("serve",), "no upstream: give --upstream URL"),
        (("serve", "--upstream", "localhost:11434"), "upstreams[0].url: does not fit"),
        (("serve", "--upstream", "http://a/v1", "--port", "99999"), "listen.port: "),
        (("serve", "--config", "nope.yaml"), "nope.yaml: No such file"),
        (("config", "check", "nope.yaml"), "nope.yaml: No such file"),
        (("export", "parrot", "-o", "x.jsonl"), "unknown format 'parrot'; there are dpo, kto"),
        (("export", "dpo", "-o", "x.txt"), "'x.txt' names no known format"),
        (("export", "dpo", "-o", "x.jsonl", "--since", "soon"), "--since: 'soon' is no time"),
        (("keys", "create", "me", "--scopes", "all"), "no scope 'all'; known: proxy, feedback"),
        (("keys", "create", "me", "--policies", "lax"), "no policy 'lax'; known: default, *"),
        (("keys", "create", "me", "--tenant", "you"), "no key has the id or name 'you'"),
        (("keys", "revoke", "me"), "no key in force has the id or name 'me'"),
        (("score",), "give either --response TEXT, or --input FILE and --output FILE"),
        (("score", "--input", "a.jsonl"), "give either --response TEXT"),
        (("score", "--response", "x", "--input", "a.jsonl"), "give either --response TEXT"),
        (("score", "--input", "a.jsonl", "--output", "b.jsonl"), "a.jsonl: there is no such file"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    run: Run, argv: tuple[str, ...], expected: str
) -> None:
    """Exit code 2, no trace."""
    run("db", "upgrade")

    code, _, err = run(*argv)

    assert code == 2
    assert err.startswith("fairlead: ")
    assert expected in err
    assert "Traceback" not in err


def test_a_store_that_is_not_migrated_is_told(run: Run) -> None:
    """`db check` says what is missing with exit code 1, `db upgrade` mends it."""
    before = run("db", "check")
    upgraded = run("db", "upgrade")
    after = run("db", "check")

    assert before[0] == 1
    assert "fairlead db upgrade" in before[2]
    assert (upgraded[0], after[0]) == (0, 0)


def test_a_key_is_shown_once(run: Run, url: str) -> None:
    """The store has its hash, the list its name, neither the key."""
    code, out, _ = run("keys", "create", "web", "--scopes", "proxy,admin", "--policies", "default")
    key = out.split()[0]
    _, shown, _ = run("keys", "list")

    assert code == 0
    assert [(k.name, k.hash, k.scopes, k.policies) for k in keys(url)] == [
        ("web", hash_key(key), ("proxy", "admin"), ("default",))
    ]
    assert "web" in shown
    assert key not in shown


def test_a_key_has_a_name_of_its_own_and_can_be_revoked(run: Run, url: str) -> None:
    """Two keys in force may not share a name; a revoked one frees it."""
    assert run("keys", "create", "web")[0] == 0
    assert "there is a key named 'web'" in run("keys", "create", "web")[2]
    assert run("keys", "revoke", "web")[0] == 0
    assert run("keys", "create", "web")[0] == 0
    assert [key.revoked_us is None for key in keys(url)] == [False, True]


def test_a_key_can_take_over_from_another(run: Run, url: str) -> None:
    """It shares the tenant of the first, however many lie between; an unclear name is refused."""
    run("keys", "create", "old")
    run("keys", "revoke", "old")
    assert run("keys", "create", "new", "--tenant", "old")[0] == 0
    assert run("keys", "create", "newer", "--tenant", "new")[0] == 0
    first, second, third = keys(url)

    assert (first.tenant, second.tenant, third.tenant) == (None, first.id, first.id)
    assert first.id in run("keys", "list")[1]
    run("keys", "create", "old")
    code, _, err = run("keys", "create", "x", "--tenant", "old")
    assert (code, first.id in err) == (2, True)
    assert run("keys", "create", "x", "--tenant", first.id)[0] == 0


def test_the_effective_configuration_is_shown_masked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, environment and defaults together, as YAML that could be a file."""
    path = tmp_path / "f.yaml"
    path.write_text("upstreams: [{url: 'http://me:hunter2@a/v1'}]", encoding="utf-8")
    monkeypatch.setenv("FAIRLEAD_LISTEN__PORT", "9000")

    code, out, _ = run("config", "show", "--config", str(path))

    assert code == 0
    assert "port: 9000" in out
    assert "hunter2" not in out
    assert "toxicity:\n        flag: 0.5\n        veto:\n          fpr: 0.01" in out


def test_a_configuration_is_checked_against_the_model(run: Run, tmp_path: Path, model: str) -> None:
    """What is left out is told; a veto that could never fire is refused."""
    path = tmp_path / "f.yaml"
    rules = "policies: {default: {prompt: {}, reply: {sycophancy: {%s: 0.5}}}}\n"
    scoring = f"scoring: {{model: '{model}'}}\n"

    path.write_text(scoring + rules % "flag", encoding="utf-8")
    good = run("config", "check", str(path))
    path.write_text(scoring + rules % "veto", encoding="utf-8")
    bad = run("config", "check", str(path))
    path.write_text("scoring: {model: nothing}", encoding="utf-8")
    missing = run("config", "check", str(path))

    assert good[0] == 0
    assert good[1].startswith("left out: policies.default.reply.sycophancy: tiny@1")
    assert bad[0] == 2
    assert "this veto could never fire" in bad[2]
    assert "there is no model 'nothing'" in missing[2]


def test_a_taken_port_is_told(run: Run) -> None:
    """In a line, before the store is opened."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, out, err = run("serve", "--upstream", "http://127.0.0.1:9/v1", "--port", port)

    assert (code, out) == (2, "")
    assert f"cannot listen on 127.0.0.1, port {port}: " in err


def test_scores_do_not_replace_their_input(run: Run, tmp_path: Path) -> None:
    """However the file is named."""
    path = tmp_path / "in.jsonl"
    path.write_text('{"response": "hello"}\n', encoding="utf-8")
    same = tmp_path / "x" / ".." / "in.jsonl"

    code, _, err = run("score", "--input", str(path), "--output", str(same))

    assert code == 2
    assert "--output: is the input file" in err
    assert path.read_text(encoding="utf-8") == '{"response": "hello"}\n'


SECRETS = """
upstreams: [{url: "http://a/v1", api_key_env: EDGE_API_KEY}]
privacy: {key_env: EDGE_HASH_KEY}
alerts: {webhooks: [{url: "https://a.example", secret_env: EDGE_SECRET}]}
"""


def test_a_check_names_the_secrets_that_are_not_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line for each that serving would lack; where they are there, none."""
    path = tmp_path / "f.yaml"
    path.write_text(SECRETS, encoding="utf-8")

    without = run("config", "check", str(path))
    for name in ("EDGE_API_KEY", "EDGE_HASH_KEY"):
        monkeypatch.setenv(name, "sixteen bytes, or more")
    monkeypatch.setenv("EDGE_SECRET", "whsec_" + "QUJD" * 10)
    with_all = run("config", "check", str(path))

    lacking = [line for line in without[1].splitlines() if line.startswith("not set here: ")]
    named = [line.split()[3].rstrip(",") for line in lacking]
    assert (without[0], named) == (0, ["EDGE_API_KEY", "EDGE_SECRET", "EDGE_HASH_KEY"])
    assert with_all[0] == 0
    assert "not set here" not in with_all[1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("policies: {default: {text: hash}}", "needs a secret"),
        ("privacy: {key_env: EDGE_SHORT}", "the secret in EDGE_SHORT has less than 16 bytes"),
        ("alerts: {webhooks: [{url: 'https://a.example'}]}", "name the environment variable"),
        ("alerts: {webhooks: [{url: 'http://127.0.0.1/', format: slack}]}", "no public address"),
        ("privacy: {phone_regions: [ZZ]}", "no region is called ZZ"),
        ("context_pattern: '('", "context_pattern: is no regular expression"),
        ("scoring: {reward: {toxicty: -1}}", "did you mean `toxicity`?"),
        ("scoring: {confidence_maps: nope.json}", "there is no file nope.json"),
    ],
)
def test_what_could_not_be_served_fails_the_check(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str
) -> None:
    """Exit code 2, before anything is started."""
    monkeypatch.setenv("EDGE_SHORT", "short")
    path = tmp_path / "f.yaml"
    path.write_text(text, encoding="utf-8")

    code, _, err = run("config", "check", str(path))

    assert code == 2
    assert complaint in err


def test_preferences_are_exported(run: Run, url: str, tmp_path: Path) -> None:
    """A file of rows, its card, and a word on what is in it."""
    fill(url)

    code, out, _ = run(
        "export", "dpo", "-o", str(tmp_path / "pairs.jsonl"), "--since", "1970-01-01"
    )

    rows = (tmp_path / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    assert code == 0
    assert out.startswith(f"1 rows from 1 prompts in {tmp_path / 'pairs.jsonl'}")
    assert json.loads(rows[0])["chosen"][0]["content"] == "Hello from fl_2."
    assert (tmp_path / "pairs.jsonl.card.md").is_file()


def test_a_time_without_a_zone_is_utc() -> None:
    """A date is its first moment."""
    assert moment_us("--since", "1970-01-02") == 86_400_000_000
    assert moment_us("--since", "1970-01-01T01:00:00+01:00") == 0
    assert moment_us("--since", None) is None


def test_one_exchange_is_scored(run: Run, model: str) -> None:
    """A table for people, JSON for programs; without context faithfulness says so."""
    given = ("score", "--model", model, "--response", "vile words", "--prompt", "hello")

    code, table, _ = run(*given)
    _, text, _ = run(*given, "--json")

    assert code == 0
    assert "not_applicable" in table or "no_context" in table
    found = {(one["side"], one["scorer"]): one for one in json.loads(text)}
    assert 0 <= found["reply", "toxicity"]["risk"] <= 1
    assert "risk" not in found["reply", "faithfulness"]


@pytest.fixture(scope="module")
def whole_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small model that has every head."""
    return str(write_tiny_model(tmp_path_factory.mktemp("whole"), heads=SEVEN_HEADS))


def test_a_score_names_its_sentences(run: Run, whole_model: str) -> None:
    """JSON gives each sentence's place and risk, and spans where a scorer has its own."""
    said = f"The good warm fine one. {'bad ' * 20}. {'made up ' * 9}."
    given = ("score", "--model", whole_model, "--response", said, "--prompt", "a")

    _, text, _ = run(*given, "--context", "good warm", "--json")

    found = {(one["side"], one["scorer"]): one for one in json.loads(text)}
    toxic = found["reply", "toxicity"]["sentences"]
    assert [said[one["start"] : one["end"]][:4] for one in toxic] == ["The ", "bad ", "made"]
    assert max(toxic, key=lambda one: one["risk"]) == toxic[1]
    assert "sentences" not in found["reply", "faithfulness"]
    [span, *_] = found["reply", "faithfulness"]["spans"]
    assert span["start"] <= said.index("made") < span["end"]
    assert found["reply", "confidence"]["status"] == "no_outcomes"
    assert {"expressed"} == set(found["reply", "confidence"]["sentences"][0]["heads"])
    assert set(found["prompt", "sycophancy"]["heads"]) == {"view"}


def test_a_score_is_shown_sentence_by_sentence(run: Run, whole_model: str) -> None:
    """The table names every sentence, shortened, with what each scorer says of it."""
    said = f"Good one. {'surely ' * 20}."

    code, table, _ = run("score", "--model", whole_model, "--response", said, "--prompt", "think a")

    *whole, blank, prompt, _, good, of_good, sure, of_sure = table.splitlines()
    assert (code, blank, prompt, good) == (0, "", "prompt: think a", "reply: Good one.")
    assert sure == f"reply: {('surely ' * 20)[:69].rstrip()}…"
    for line in (of_good, of_sure):
        assert re.fullmatch(
            r"  toxicity 0\.\d\d, sycophancy 0\.\d\d, confidence expressed 0\.\d\d", line
        )
    assert float(of_sure[-4:]) > float(of_good[-4:]) + 0.3
    assert any("no_outcomes" in line and "expressed" in line for line in whole)


def test_a_file_gets_a_column_for_every_head(run: Run, whole_model: str, tmp_path: Path) -> None:
    """Sycophancy needs a prompt, confidence only a reply; what was not read is null."""
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"prompt": "a", "response": "agree"}, {"response": "surely"}, {"prompt": "think"}]
    source.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")

    argv = ("score", "--model", whole_model, "--input", str(source), "--output", str(target))
    assert run(*argv)[0] == 0

    found = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    columns = [name for name in found[0] if "." in name]
    assert columns == [
        "toxicity.toxic",
        "toxicity.harm",
        "toxicity.injection",
        "faithfulness.unsupported",
        "sycophancy.sycophantic",
        "confidence.expressed",
    ]
    assert [row["sycophancy.sycophantic"] is None for row in found] == [False, True, True]
    assert [row["confidence.expressed"] is None for row in found] == [False, False, True]


ROWS: list[dict[str, Any]] = [
    {"prompt": "hello", "response": "vile", "context": "good words", "kept": 1},
    {"prompt": "hello", "response": "good", "context": ["good", "words"], "kept": 2},
    {"text": "hello", "role": "prompt", "kept": 3},
    {"text": "vile", "role": "response", "prompt": "hello", "kept": 4},
]


def test_a_jsonl_file_is_scored(run: Run, model: str, tmp_path: Path) -> None:
    """Every input column and one column per head, null where it does not apply."""
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")

    code, out, _ = run("score", "--model", model, "--input", str(source), "--output", str(target))

    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert (code, out) == (0, f"4 rows in {target}\n")
    assert [{k: row[k] for k in given} for row, given in zip(rows, ROWS, strict=True)] == ROWS
    assert all(row["toxicity.toxic"] is not None for row in rows)
    faithful = [row["faithfulness.unsupported"] is not None for row in rows]
    assert faithful == [True, True, False, False]


def test_a_parquet_file_is_scored(run: Run, model: str, tmp_path: Path) -> None:
    """Chunk by chunk, with the same columns, also where a column begins with nulls."""
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    rows = [{"text": "hello", "role": "prompt", "prompt": None, "context": None}] * 600
    rows += [{"text": "vile", "role": "response", "prompt": "hello", "context": "good words"}]
    parquet.write_table(pa.Table.from_pylist(rows), source)

    code, _, _ = run("score", "--model", model, "--input", str(source), "--output", str(target))

    found = parquet.read_table(target).to_pylist()
    assert (code, len(found)) == (0, 601)
    assert found[0]["faithfulness.unsupported"] is None
    assert 0 <= found[-1]["faithfulness.unsupported"] <= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "in.jsonl: line 1: is not JSON"),
        ("[]", "in.jsonl: line 1: is no JSON object"),
        ('{"x": 1}', "row 1: has neither `response` nor `prompt` nor `text`"),
        ('{"response": 1}', "row 1: `response` is no text"),
        ('{"response": "a", "context": [1]}', "row 1: `context` is neither"),
        ('{"text": "a", "role": "judge"}', "row 1: `role` is 'judge'"),
    ],
)
def test_a_wrong_row_is_named(
    run: Run, model: str, tmp_path: Path, text: str, expected: str
) -> None:
    """By its line or number; nothing is left at the output's place."""
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(text, encoding="utf-8")

    code, _, err = run("score", "--model", model, "--input", str(source), "--output", str(target))

    assert code == 2
    assert expected in err
    assert [path.name for path in tmp_path.glob("*out*")] == []


def test_a_file_that_is_no_parquet_is_named(run: Run, model: str, tmp_path: Path) -> None:
    """Its ending promises what it does not hold."""
    source = tmp_path / "in.parquet"
    source.write_text("no", encoding="utf-8")

    code, _, err = run("score", "--model", model, "--input", str(source), "--output", "out.jsonl")

    assert code == 2
    assert "in.parquet: cannot be read as Parquet" in err


@pytest.mark.parametrize(("source", "target"), [("in.txt", "out.jsonl"), ("in.jsonl", "out.txt")])
def test_only_known_endings_are_scored(
    run: Run, model: str, tmp_path: Path, source: str, target: str
) -> None:
    """JSON Lines and Parquet, in and out."""
    (tmp_path / source).write_text('{"response": "good"}', encoding="utf-8")

    code, _, err = run("score", "--model", model, "--input", source, "--output", target)

    assert code == 2
    assert "ends neither in .jsonl nor in .parquet" in err


def test_an_empty_file_gives_an_empty_one(run: Run, model: str, tmp_path: Path) -> None:
    """Nothing to score is no error."""
    (tmp_path / "in.jsonl").touch()

    for target in ("out.jsonl", "out.parquet"):
        assert run("score", "--model", model, "--input", "in.jsonl", "--output", target)[0] == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    assert parquet.read_table(tmp_path / "out.parquet").num_rows == 0


def test_models_are_listed(run: Run) -> None:
    """The shipped model is there."""
    code, out, _ = run("models", "list")

    assert code == 0
    assert "fairlead-mini" in out


def test_serving_beyond_loopback_needs_a_key(run: Run, tmp_path: Path) -> None:
    """It refuses to start and says how to create one."""
    path = tmp_path / "f.yaml"
    path.write_text("policies: {default: {mode: off}}", encoding="utf-8")

    code, _, err = run(
        "serve", "--config", str(path), "--upstream", "http://a/v1", "--host", "0.0.0.0"
    )

    assert code == 2
    assert "fairlead keys create" in err


def test_serving_with_hashes_needs_their_secret(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that says how to make one, before anything is started."""
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    path = tmp_path / "f.yaml"
    path.write_text(
        "policies: {default: {mode: off, text: hash}}\nprivacy: {key_env: NO_SUCH_SECRET}",
        encoding="utf-8",
    )

    code, _, err = run("serve", "--config", str(path), "--upstream", "http://a/v1")

    assert code == 2
    assert "NO_SUCH_SECRET is not set" in err
    assert "Traceback" not in err


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_serves_until_it_is_told_to_stop(url: str, tmp_path: Path, workers: str) -> None:
    """The settings reach the workers, the logs are JSON lines, and the end is clean."""
    path, port = tmp_path / "f.yaml", free_port()
    path.write_text("policies: {default: {mode: off}}", encoding="utf-8")
    argv = ["serve", "--config", str(path), "--upstream", "http://127.0.0.1:9/v1"]
    argv += ["--port", str(port), "--workers", workers]
    program = [sys.executable, "-m", "service.cli", *argv]
    room = str(Path(__file__).resolve().parents[2])
    environ = os.environ | {"PYTHONPATH": room}

    with subprocess.Popen(program, stderr=subprocess.PIPE, env=environ, cwd=tmp_path) as serving:
        reply = await_answer(f"http://127.0.0.1:{port}/readyz", serving)
        serving.send_signal(signal.SIGTERM)
        _, err = serving.communicate(timeout=60)

    assert (reply.status_code, reply.json()["status"]) == (200, "ready")
    events = [json.loads(line)["event"] for line in err.decode().splitlines()]
    assert {"ready", "stopping"} <= set(events)


def await_answer(address: str, serving: subprocess.Popen[bytes]) -> httpx.Response:
    """The first answer of a server that is starting."""
    while True:
        assert serving.poll() is None, "the server ended"
        try:
            return httpx.get(address)
        except httpx.TransportError:
            time.sleep(0.1)

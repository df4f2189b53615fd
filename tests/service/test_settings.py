"""What can be set, and where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.settings import PolicySettings, Settings, Threshold, settings_table
from service.sources import ConfigError, load_settings, masked, masked_url

CONTRACT = """
listen: {host: 127.0.0.1, port: 8080}
database_url: sqlite+aiosqlite:///fairlead.db
record: strict
upstreams:
  - {name: default, url: "http://localhost:11434/v1", models: ["*"], api_key_env: OPENAI_API_KEY}
policies:
  default:
    mode: enforce
    streaming: hold
    on_scorer_failure: open
    deadline_ms: 2000
    refusal: "This reply was withheld by policy."
    prompt: {injection: {flag: {fpr: 0.01}}, toxicity: {flag: 0.8}}
    reply:
      toxicity: {flag: 0.5, veto: {fpr: 0.01}}
      faithfulness: {flag: 0.5, veto: {fpr: 0.01}, action: regenerate, attempts: 2}
      sycophancy: {flag: {fpr: 0.05}}
      confidence: {flag: {fpr: 0.05}}
alerts:
  allow_private_targets: false
  webhooks: [{url: "https://example.com", secret_env: FAIRLEAD_WEBHOOK_SECRET, format: standard}]
"""


def written(folder: Path, text: str) -> Path:
    """A settings file with this text."""
    path = folder / "fairlead.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(folder: Path, text: str, **environ: str) -> str:
    """What is said against a file, without its path."""
    path = written(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path, environ=environ)
    return str(caught.value).removeprefix(f"{path}: ")


def test_the_contracts_example_is_read(tmp_path: Path) -> None:
    """Every key of the contract's configuration is known."""
    found = load_settings(written(tmp_path, CONTRACT))

    assert found.policies["default"].reply["faithfulness"].action == "regenerate"
    assert found.policies["default"].prompt["injection"].flag == Threshold(fpr=0.01)
    assert found.alerts.webhooks[0].secret_env == "FAIRLEAD_WEBHOOK_SECRET"


def test_no_file_is_a_complete_configuration() -> None:
    """The default policy is there, with `replace` for both vetoes."""
    reply = load_settings().policies["default"].reply

    assert reply["toxicity"].veto == Threshold(fpr=0.01)
    assert {rule.action for rule in reply.values()} == {"replace"}


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    """Nothing set is the default of everything."""
    assert load_settings(written(tmp_path, "# nothing\n")) == Settings()


def test_a_bare_off_is_the_mode_off(tmp_path: Path) -> None:
    """YAML's false, which is how it reads `off`, is the name of a mode here."""
    found = load_settings(written(tmp_path, "policies: {default: {mode: off}}"))

    assert found.policies["default"].mode == "off"


def test_a_policy_that_sets_no_rules_has_the_default_ones(tmp_path: Path) -> None:
    """Changing a mode does not silently drop the vetoes; `{}` does."""
    text = "policies: {strict: {on_scorer_failure: closed}, lax: {reply: {}}}"
    found = load_settings(written(tmp_path, text)).policies

    assert found["strict"].reply == PolicySettings().reply
    assert found["lax"].reply == {}


def test_environment_overrides_the_file_and_flags_override_both(tmp_path: Path) -> None:
    """The last source wins, key by key."""
    path = written(tmp_path, "listen: {host: 127.0.0.2, port: 1, workers: 1}")
    environ = {"FAIRLEAD_LISTEN__PORT": "2", "FAIRLEAD_LISTEN__WORKERS": "2", "HOME": "/"}

    found = load_settings(path, environ=environ, flags={"listen": {"workers": 3}})

    assert (found.listen.host, found.listen.port, found.listen.workers) == ("127.0.0.2", 2, 3)


def test_environment_reaches_into_policies_and_lists(tmp_path: Path) -> None:
    """`__` goes down a level, a number into a list; names keep the file's case."""
    text = """
    upstreams: [{name: a, url: "http://a/v1"}]
    policies: {Strict: {reply: {toxicity: {veto: {fpr: 0.01}}}}}
    """
    environ = {
        "FAIRLEAD_UPSTREAMS__0__URL": "http://b/v1",
        "FAIRLEAD_UPSTREAMS__1": "{name: c, url: 'http://c/v1'}",
        "FAIRLEAD_POLICIES__STRICT__REPLY__TOXICITY__VETO__FPR": "0.05",
        "FAIRLEAD_POLICIES__STRICT__MODE": "off",
    }

    found = load_settings(written(tmp_path, text), environ=environ)

    assert [(u.name, u.url) for u in found.upstreams] == [
        ("a", "http://b/v1"),
        ("c", "http://c/v1"),
    ]
    assert found.policies["Strict"].reply["toxicity"].veto == Threshold(fpr=0.05)
    assert found.policies["Strict"].mode == "off"


def test_overriding_one_default_rule_keeps_the_others() -> None:
    """A variable that reaches into the default policy changes that one value."""
    name = "FAIRLEAD_POLICIES__DEFAULT__REPLY__TOXICITY__VETO"

    reply = load_settings(environ={name: "0.7"}).policies["default"].reply

    assert reply == PolicySettings().reply | {
        "toxicity": reply["toxicity"].model_copy(update={"veto": Threshold(risk=0.7)})
    }


def test_environment_may_be_a_whole_value() -> None:
    """YAML and JSON in a variable are read; other text is text."""
    environ = {
        "FAIRLEAD_UPSTREAMS": '[{"url": "http://a/v1", "api_key_env": "FAIRLEAD_OTHER_KEY"}]',
        "FAIRLEAD_OTHER_KEY": "sk-secret",
        "FAIRLEAD_CONTEXT_PATTERN": "@<(.*)>",
    }

    found = load_settings(environ=environ)

    assert found.upstreams[0].api_key_env == "FAIRLEAD_OTHER_KEY"
    assert found.context_pattern == "@<(.*)>"


def test_variables_that_hold_secrets_are_no_settings(tmp_path: Path) -> None:
    """What a `..._env` setting names is left alone, and so are the program's own."""
    environ = {"FAIRLEAD_KEY_A": "x", "FAIRLEAD_CONFIG": "y", "FAIRLEAD_TEST_POSTGRES": "z"}
    text = "upstreams: [{url: 'http://a/v1', api_key_env: FAIRLEAD_KEY_A}]"

    assert load_settings(written(tmp_path, text), environ=environ).upstreams


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "listen:\n  hots: x\n",
            "line 2: listen.hots: unknown setting; did you mean `listen.host`?",
        ),
        ("recrod: strict", "line 1: recrod: unknown setting; did you mean `record`?"),
        ("port: 80", "line 1: port: unknown setting; did you mean `listen.port`?"),
        (
            "policies: {default: {reply: {toxicity: {vetto: 0.5}}}}",
            "line 1: policies.default.reply.toxicity.vetto: unknown setting; did you mean `poli",
        ),
        (
            "upstreams: [{url: 'http://a/v1', modles: ['x']}]",
            "line 1: upstreams[0].modles: unknown setting; did you mean `upstreams[0].models`?",
        ),
        ("zzz: 1", "line 1: zzz: unknown setting; the nearest known one is `"),
        ("listen: {port: many}", "line 1: listen.port: Input should be a valid integer"),
        ("upstreams: [{url: localhost}]", "line 1: upstreams[0].url: does not fit; Base URL"),
        (
            "policies: {default: {reply: {toxicity: {veto: high}}}}",
            "line 1: policies.default.reply.toxicity.veto: a threshold is a risk such as 0.5",
        ),
        (
            "policies: {default: {reply: {toxicity: {veto: {fpr: 0.1, risk: 0.2}}}}}",
            "line 1: policies.default.reply.toxicity.veto: a threshold is a risk such as 0.5",
        ),
        (
            "upstreams: [{url: 'http://a/v1'}, {url: 'http://b/v1'}]",
            "two upstreams have the same name; each needs a `name` of its own",
        ),
        ("listen: {port: 1}\nrecord: strict\nlisten: {}", "line 3: listen stands twice"),
        ("listen: [", "line 1: "),
        ("a: b\n\tc: d", "line 2: "),
        ("just words", "holds no settings; it must be `key: value` lines"),
        ("policies: 3", "line 1: policies: Input should be a valid dictionary"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    """A message names line, path and the nearest known key."""
    assert complaint(tmp_path, text).startswith(expected)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("FAIRLEAD_LITEN__PORT", "1", "environment FAIRLEAD_LITEN__PORT: unknown setting; did you"),
        ("FAIRLEAD_UPSTREAMS", "[{", "environment FAIRLEAD_UPSTREAMS: is not a YAML value"),
        ("FAIRLEAD_LISTEN__PROT", "1", "listen.prot: unknown setting; did you mean `listen.port`?"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, expected: str) -> None:
    """An unknown variable with our prefix is an error, as an unknown key is."""
    with pytest.raises(ConfigError) as caught:
        load_settings(environ={name: value})

    assert str(caught.value).startswith(expected)


def test_a_level_cannot_be_set_whole_and_in_part() -> None:
    """Two variables that contradict one another are told."""
    environ = {"FAIRLEAD_RECORD": "strict", "FAIRLEAD_RECORD__MODE": "x"}

    with pytest.raises(ConfigError, match="record is set whole"):
        load_settings(environ=environ)


@pytest.mark.parametrize("make", ["missing", "folder", "latin"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, make: str) -> None:
    """Missing, no file, not UTF-8: one line with the path."""
    path = tmp_path / make
    if make == "folder":
        path.mkdir()
    if make == "latin":
        path.write_bytes(b"record: \xff")

    with pytest.raises(ConfigError, match=str(path)):
        load_settings(path)


def test_secrets_are_masked(tmp_path: Path) -> None:
    """Passwords in URLs and the paths of webhooks, which are secrets too, are not shown."""
    text = """
    database_url: postgresql+asyncpg://fairlead:hunter2@db/fairlead?password=hunter3
    upstreams: [{url: "https://me:hunter4@host/v1?key=hunter5"}]
    alerts: {webhooks: [{url: "https://hooks.example.com/services/hunter6"}]}
    """
    shown = masked(load_settings(written(tmp_path, text)))

    assert "hunter" not in repr(shown)
    assert shown["database_url"] == "postgresql+asyncpg://fairlead:***@db/fairlead?password=***"


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:///fairlead.db", "http://localhost:1/v1"])
def test_a_url_without_secrets_is_shown_as_it_is(url: str) -> None:
    """Nothing is masked where there is nothing to hide."""
    assert masked_url(url) == url


def test_settings_survive_the_way_to_a_worker() -> None:
    """JSON and back is the same settings, thresholds included."""
    found = load_settings(environ={"FAIRLEAD_POLICIES__A__REPLY": "{toxicity: {veto: 0.4}}"})

    assert Settings.model_validate_json(found.model_dump_json()) == found


def test_every_setting_has_a_help_text_in_the_table() -> None:
    """The README's table has a row with a meaning for each key."""
    rows = [row.split("|") for row in settings_table().splitlines()[2:]]

    assert all(len(row) == 5 and row[3].strip() for row in rows)
    assert "| `listen.port` | `8080` | Port to bind. |" in settings_table()


def test_settings_cannot_be_changed() -> None:
    """They are frozen at every level."""
    values: Any = Settings().listen

    with pytest.raises(ValueError, match="frozen"):
        values.port = 1

"""The command line. Parsing imports nothing heavy, so that help is there at once."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; 2 is bad usage or a bad configuration."""
    args = parser().parse_args(argv)
    command = import_module(f"service.commands.{args.module}")
    failures = import_module("service.commands.failures")
    try:
        return int(command.run(args))
    except failures.KNOWN as error:
        print(f"fairlead: {failures.told(error)}", file=sys.stderr)
        return int(failures.exit_code(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; nothing more can be said to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    top = argparse.ArgumentParser(
        prog="fairlead",
        description="A proxy that scores, vetoes and records what a language model replies.",
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for add in (
        _serve,
        _demo,
        _score,
        _evaluate,
        _export,
        _weak,
        _compare,
        _replay,
        _drift,
        _alerts,
        _abuse,
        _gaps,
        _feedback,
        _calibration,
        _erase,
        _audit,
        _db,
        _config,
        _keys,
        _models,
    ):
        add(commands)
    return top


Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def _command(
    commands: Commands[argparse.ArgumentParser], name: str, text: str, *, has_settings: bool = True
) -> argparse.ArgumentParser:
    found = commands.add_parser(name, help=text, description=text)
    found.set_defaults(module=name)
    if has_settings:
        _settings(found)
    return found


def _settings(found: argparse.ArgumentParser) -> None:
    given = os.environ.get("FAIRLEAD_CONFIG")
    found.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=Path(given) if given else None,
        help="settings in YAML; FAIRLEAD_CONFIG if not given",
    )


def _serve(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "serve", "run the proxy")
    found.add_argument("--upstream", metavar="URL", help="base URL of the one LLM endpoint")
    found.add_argument("--host", metavar="H", help="address to bind")
    found.add_argument("--port", metavar="P", type=int, help="port to bind")
    found.add_argument("--workers", metavar="N", type=int, help="worker processes")


def _demo(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "run the proxy before a scripted upstream"
    found = _command(commands, "demo", text, has_settings=False)
    found.add_argument("--once", action="store_true", help="send the traffic once and end")


def _score(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "score", "score one exchange, or a file of them")
    found.add_argument("--prompt", metavar="TEXT", default="", help="what the user asked")
    found.add_argument("--response", metavar="TEXT", help="the reply to score")
    found.add_argument(
        "--context", metavar="TEXT", action="append", default=[], help="a source; may be repeated"
    )
    found.add_argument("--input", metavar="FILE", type=Path, help="JSONL or Parquet to score")
    found.add_argument("--output", metavar="FILE", type=Path, help="JSONL or Parquet to write")
    found.add_argument("--json", action="store_true", help="print JSON instead of a table")
    found.add_argument("--model", metavar="NAME", help="scoring model")
    found.add_argument("--provider", metavar="NAME", help="execution provider")


def _evaluate(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "evaluate", "measure a scorer on labelled texts")
    found.add_argument("files", metavar="FILE", type=Path, nargs="+", help="JSONL or Parquet")
    found.add_argument("--scorer", metavar="NAME", required=True, help="the scorer to measure")
    found.add_argument("--head", metavar="HEAD", help="one of its heads; all if not given")
    found.add_argument("--json", metavar="FILE", type=Path, help="JSON file to write")
    found.add_argument("--plot", metavar="FILE", type=Path, help="reliability diagram (PNG)")
    found.add_argument("--model", metavar="NAME", help="scoring model")
    found.add_argument("--provider", metavar="NAME", help="execution provider")


def _export(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "export", "write training data from what was recorded")
    found.add_argument(
        "format", metavar="FORMAT", help="dpo, kto, reward, sft, openai-dpo or instructlab"
    )
    found.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True, help="file to write"
    )
    found.add_argument("--since", metavar="TIME", help="exchanges from this time on (ISO 8601)")
    found.add_argument("--until", metavar="TIME", help="exchanges before this time (ISO 8601)")
    found.add_argument("--model", metavar="NAME", help="exchanges with this model")
    found.add_argument(
        "--min-margin", metavar="M", type=float, default=0.0, help="least margin, 0 to 1"
    )
    found.add_argument(
        "--source", metavar="NAME", action="append", help="a kind of pair; may be repeated"
    )
    found.add_argument("--split", choices=("train", "test"), help="one side of the split")
    _thinning(found)
    found.add_argument("--license", metavar="TEXT", help="licence of the texts, for the card")
    found.add_argument("--force", action="store_true", help="replace a file that is there")
    found.add_argument(
        "--restart", action="store_true", help="forget what an interrupted export has read"
    )
    _qna(found)


def _qna(found: argparse.ArgumentParser) -> None:
    named = found.add_argument_group("instructlab", "what the qna.yaml says of itself")
    named.add_argument("--topic", metavar="TAG", help="the tag whose corrections are written")
    named.add_argument(
        "--gap", metavar="ID", help="a knowledge gap whose corrections are written, as one topic"
    )
    named.add_argument("--created-by", metavar="NAME", default="fairlead", help="who made it")
    named.add_argument("--task-description", metavar="TEXT", help="what a skill teaches")
    named.add_argument(
        "--domain", metavar="TEXT", help="domain of knowledge; the topic if not given"
    )
    named.add_argument(
        "--document-repo", metavar="URL", help="Git repository of documents: makes it knowledge"
    )
    named.add_argument("--document-commit", metavar="SHA", help="the commit they are in")
    named.add_argument(
        "--document-pattern", metavar="GLOB", action="append", help="their names; may be repeated"
    )
    named.add_argument("--document-outline", metavar="TEXT", help="what is in them")


def _thinning(found: argparse.ArgumentParser) -> None:
    found.add_argument(
        "--near-duplicates",
        metavar="S",
        type=_similarity,
        default=0.85,
        help="likeness from which texts count as one, 0.6 to 1, or off; 0.85 if not given",
    )
    found.add_argument("--max-per-prompt", metavar="N", type=int, help="most rows of one prompt")
    found.add_argument("--select", metavar="N", type=int, help="so many rows of all")
    found.add_argument(
        "--by",
        choices=("diversity", "margin", "random"),
        help="how --select chooses; by diversity if not given",
    )
    found.add_argument(
        "--balance-length",
        action="store_true",
        help="thin pairs until the longer reply is chosen as often as the shorter",
    )
    found.add_argument(
        "--order",
        choices=("prompt", "curriculum"),
        default="prompt",
        help="order of the rows; curriculum is from easy to hard",
    )
    found.add_argument("--seed", metavar="N", type=int, default=0, help="of the split and of draws")
    found.add_argument(
        "--weak",
        nargs="?",
        choices=("weighted", "majority"),
        const="weighted",
        help="add weak labels where nobody rated; weighted if no method is given",
    )
    found.add_argument(
        "--weak-least",
        metavar="P",
        type=float,
        help="least probability of a weak label; 0.8 if not given",
    )
    _functions(found)


def _weak(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "weak", "weak labels by labelling functions", has_settings=False)
    actions = found.add_subparsers(metavar="ACTION", required=True)
    report = _action(actions, "report", "how the functions vote, overlap and conflict")
    report.add_argument("--since", metavar="TIME", help="exchanges from this time on (ISO 8601)")
    report.add_argument("--until", metavar="TIME", help="exchanges before this time (ISO 8601)")
    report.add_argument("--model", metavar="NAME", help="exchanges with this model")
    report.add_argument(
        "--method",
        choices=("weighted", "majority"),
        default="weighted",
        help="how votes become probabilities; weighted if not given",
    )
    report.add_argument("--json", action="store_true", help="print JSON")
    _functions(report)


def _functions(found: argparse.ArgumentParser) -> None:
    found.add_argument(
        "--functions",
        metavar="SPEC",
        action="append",
        default=[],
        help="more labelling functions: FILE.py, MODULE or either with :NAME; may be repeated",
    )


def _similarity(text: str) -> float | None:
    return None if text == "off" else float(text)


def _compare(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "compare", "say whether a candidate is no worse than a baseline")
    selector = "exchanges, as model=NAME,since=TIME,until=TIME,tag=NAME,policy=NAME"
    found.add_argument("--baseline", metavar="SELECTOR", required=True, help=selector)
    found.add_argument("--candidate", metavar="SELECTOR", required=True, help=selector)
    found.add_argument(
        "--metric",
        metavar="M",
        action="append",
        help="veto_rate, risk.SCORER, thumbs_down_rate, flip_rate; may be repeated",
    )
    found.add_argument(
        "--margin", metavar="D", type=float, help="difference of the means that would be worse"
    )
    found.add_argument(
        "--alpha", metavar="A", type=float, default=0.05, help="rate of wrong answers; 0.05"
    )
    found.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _replay(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "replay", "send recorded prompts to a candidate")
    found.add_argument(
        "--from",
        dest="source",
        metavar="SELECTOR",
        required=True,
        help="exchanges, as model=NAME,since=TIME,until=TIME,tag=NAME,policy=NAME",
    )
    found.add_argument("--upstream", metavar="URL", required=True, help="base URL of the candidate")
    found.add_argument("--tag", metavar="T", default="replay", help="tag of its answers; replay")
    found.add_argument("--model", metavar="NAME", help="model to ask for; else the recorded one")
    found.add_argument("--api-key-env", metavar="VAR", help="variable with the upstream's API key")
    found.add_argument(
        "--rate", metavar="R", type=float, default=2.0, help="requests a second, at most; 2"
    )
    found.add_argument(
        "--concurrency", metavar="N", type=int, default=4, help="requests at a time; 4"
    )
    found.add_argument("--limit", metavar="N", type=int, help="requests, at most")
    found.add_argument("--budget-tokens", metavar="N", type=int, help="tokens, about at most")


def _drift(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "drift", "hold every signal against its reference")
    found.add_argument("--since", metavar="TIME", help="start of what is watched (ISO 8601)")
    found.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _feedback(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "feedback", "what people said of replies", has_settings=False)
    actions = found.add_subparsers(metavar="ACTION", required=True)
    load = _action(actions, "import", "store judgements out of a file; known rows are left out")
    load.add_argument("file", metavar="FILE", type=Path, help="CSV, JSON Lines or Parquet")
    load.add_argument("--dry-run", action="store_true", help="check and count, store nothing")
    load.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave wrong rows out, into FILE.rejected.jsonl, instead of refusing the file",
    )
    agreement = _action(actions, "agreement", "say how far raters agree, and who does with nobody")
    agreement.add_argument("--json", action="store_true", help="print JSON instead of a table")
    agreement.add_argument("--since", metavar="TIME", help="feedback from this time on (ISO 8601)")
    agreement.add_argument("--until", metavar="TIME", help="feedback before this time (ISO 8601)")
    for action in (load, agreement):
        action.add_argument(
            "--key",
            metavar="ID-OR-NAME",
            help="as this API key, on its exchanges; all if not given",
        )


def _calibration(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "calibration", "how right the served models are, and how sure")
    found.add_argument("--since", metavar="TIME", help="exchanges from this time on (ISO 8601)")
    found.add_argument("--until", metavar="TIME", help="exchanges before this time (ISO 8601)")
    found.add_argument("--model", metavar="NAME", help="exchanges with this model")
    found.add_argument(
        "--judge",
        choices=("checked", "correction", "thumb"),
        action="append",
        help="the words that count: tags correct and incorrect, corrections, thumbs; all if not "
        "given, may be repeated",
    )
    found.add_argument("--json", action="store_true", help="print JSON instead of a table")
    found.add_argument("--plot", metavar="FILE", type=Path, help="reliability diagrams (PNG)")
    found.add_argument(
        "--fit", metavar="FILE", type=Path, help="write maps for `scoring.confidence_maps`"
    )


def _erase(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "erase", "remove one person's data from everywhere")
    found.add_argument("--user", metavar="ID", required=True, help="as exchanges have it as `user`")
    found.add_argument(
        "--key", metavar="ID-OR-NAME", help="of this key's tenant only; all if unset"
    )
    found.add_argument("--yes", action="store_true", help="do not ask")
    found.add_argument("--dry-run", action="store_true", help="count, remove nothing")


def _audit(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "audit", "who exported, erased and pardoned", has_settings=False)
    actions = found.add_subparsers(metavar="ACTION", required=True)
    listing = _action(actions, "list", "list the newest lines")
    listing.add_argument(
        "--action", dest="wanted", choices=("export", "erase", "pardon"), help="only these"
    )
    listing.add_argument("--since", metavar="TIME", help="from this time on (ISO 8601)")
    listing.add_argument("--until", metavar="TIME", help="before this time (ISO 8601)")
    listing.add_argument("--limit", metavar="N", type=int, default=50, help="lines at most; 50")


def _db(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "db", "bring the store's tables up to date", has_settings=False)
    actions = found.add_subparsers(metavar="ACTION", required=True)
    _action(actions, "upgrade", "apply the migrations")
    _action(actions, "check", "say whether migrations are missing; exit code 1 if so")
    prune = _action(actions, "prune", "remove exchanges that are too old, and say what went")
    prune.add_argument(
        "--days", metavar="N", type=int, help="days that are kept; `retention.days` if not given"
    )
    prune.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")


def _config(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "config", "look at the configuration", has_settings=False)
    actions = found.add_subparsers(metavar="ACTION", required=True)
    check = _action(actions, "check", "say whether a file can be used", has_settings=False)
    check.add_argument("config", metavar="FILE", type=Path, help="the settings in YAML")
    _action(actions, "show", "print the effective settings, secrets masked")


def _keys(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "keys", "the proxy's own API keys", has_settings=False)
    actions = found.add_subparsers(metavar="ACTION", required=True)
    create = _action(actions, "create", "make a key and show it, once")
    create.add_argument("name", metavar="NAME", help="whose key it is")
    create.add_argument(
        "--scopes",
        type=_words,
        default=("proxy", "feedback"),
        help="what it may do: proxy, feedback, erase, admin; proxy,feedback if not given",
    )
    create.add_argument(
        "--policies",
        type=_words,
        help="policies it may ask for, `*` for any; the first named is its own",
    )
    create.add_argument(
        "--tenant",
        metavar="ID-OR-NAME",
        help="an earlier key, revoked or not, whose exchanges and feedback it shares",
    )
    _action(actions, "list", "list the keys; what they read is not kept")
    revoke = _action(actions, "revoke", "end a key")
    revoke.add_argument("key", metavar="ID-OR-NAME", help="as `fairlead keys list` shows it")


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _models(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "models", "the scoring models", has_settings=False)
    actions = found.add_subparsers(metavar="ACTION", required=True)
    _action(actions, "list", "list the models")
    add = _action(actions, "add", "add a text classifier as a scorer")
    add.add_argument("name", metavar="NAME", help="its name in policies")
    add.add_argument(
        "source",
        metavar="PATH-OR-HUB-ID",
        help="a folder with config.json, tokenizer.json and model.onnx, or a hub id",
    )
    add.add_argument(
        "--fault",
        metavar="LABEL",
        action="append",
        default=[],
        help="a label that means a fault; may be repeated; told from the names if not given",
    )


def _alerts(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "alerts", "the alerts and who is told", has_settings=False)
    actions = found.add_subparsers(metavar="ACTION", required=True)
    _action(actions, "test", "send a test alert to each webhook and say what came back")
    listed = _action(actions, "list", "list alerts, deliveries and webhooks, newest first")
    listed.add_argument("--limit", metavar="N", type=int, default=20, help="rows of each; 20")
    listed.add_argument("--json", action="store_true", help="print JSON instead of tables")
    enable = _action(actions, "enable", "send again to a webhook that has answered 410")
    enable.add_argument("name", metavar="NAME", help="as `fairlead alerts list` shows it")


def _abuse(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "users whose prompts are vetoed again and again"
    found = _command(commands, "abuse", text, has_settings=False)
    actions = found.add_subparsers(metavar="ACTION", required=True)
    listed = _action(actions, "list", "list them, the most vetoed first")
    listed.add_argument(
        "--since", metavar="TIME", help="from this time on (ISO 8601); the last 24 hours"
    )
    listed.add_argument("--limit", metavar="N", type=int, default=50, help="users; 50")
    listed.add_argument("--json", action="store_true", help="print JSON instead of a table")
    text = "forget the vetoed prompts of a user, or of a key, until now"
    pardon = _action(actions, "pardon", text)
    pardon.add_argument(
        "--user", metavar="ID", help="the user, under every key unless one is named"
    )
    pardon.add_argument(
        "--key",
        metavar="NAME",
        help="the API key, by name or id; alone: its unnamed users, or all with `abuse.by: key`",
    )


def _gaps(commands: Commands[argparse.ArgumentParser]) -> None:
    found = _command(commands, "gaps", "what the model answers badly, and what it is about")
    found.add_argument("--all", action="store_true", help="those that are closed too")
    found.add_argument("--limit", metavar="N", type=int, default=50, help="gaps; 50")
    found.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _action(
    actions: Commands[argparse.ArgumentParser], name: str, text: str, *, has_settings: bool = True
) -> argparse.ArgumentParser:
    found = actions.add_parser(name, help=text, description=text)
    found.set_defaults(action=name)
    if has_settings:
        _settings(found)
    return found


if __name__ == "__main__":
    sys.exit(main())

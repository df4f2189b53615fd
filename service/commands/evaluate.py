"""`fairlead evaluate`: how good a scorer is on labelled texts."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from scorers.builtin.headmap import HeadMap
from scorers.evaluation import markdown as cells
from scorers.evaluation.judgements import (
    JUDGEMENTS,
    Judgement,
    LabelError,
    Labelled,
    judgements,
    label_columns,
)
from scorers.evaluation.plot import NoPlotting, check_plotting, reliability_diagram
from scorers.evaluation.report import Bar, Bars, Judged, Part, judge, strict_bars
from scorers.evaluation.run import scores_of
from scorers.types import Score, Side
from service import added_models
from service.commands import examples
from service.commands.failures import UsageError
from service.commands.models import compiled, headmap
from service.commands.score import scoring
from service.commands.terminal import say, settings_of
from service.policy import PolicyError, Rule
from service.settings import Settings

_NARROWEST = 132
_HALF = 0.5


def run(args: argparse.Namespace) -> int:
    """Scores the files' texts, prints the figures, and writes what files are asked for."""
    flags = {name: getattr(args, name) for name in ("model", "provider") if getattr(args, name)}
    settings = settings_of(args, {"scoring": flags})
    scorer = str(args.scorer)
    heads = _heads(settings, scorer)
    chosen = _judgements(heads, scorer, args.head)
    _check_paths(args)
    columns = label_columns(scorer, heads.scorer(scorer).heads)
    found = _read(args.files, scorer, columns, wanted={judgement.label for judgement in chosen})
    scores = asyncio.run(_scores(settings, found, scorer))
    judged = []
    for judgement in chosen:
        bars = _bars(settings, heads, scorer, judgement.head)
        one = judge(judgement, found, scores, scorer=scorer, bars=bars)
        judged += [one] if one else []
    model = scores[0].model
    _print(model, judged)
    if args.json:
        args.json.write_bytes(_json(model, args, judged))
    if args.plot:
        reliability_diagram(judged, f"{scorer} of {model}", args.plot)
    return 0


def _heads(settings: Settings, scorer: str) -> HeadMap:
    """The model's description with the scorer; UsageError for one that is not there."""
    added = [info.name for info in added_models.classifiers(settings.scoring)]
    if scorer not in (*JUDGEMENTS, *added):
        known = ", ".join((*JUDGEMENTS, *added))
        raise UsageError(f"there is no scorer {scorer!r}; known: {known}")
    heads = headmap(settings.scoring, [scorer] if scorer in added else [])
    if scorer not in heads.scorers:
        raise UsageError(
            f"the model {heads.model} has no scorer {scorer!r}; it has {', '.join(heads.scorers)}"
        )
    return heads


def _judgements(heads: HeadMap, scorer: str, head: str | None) -> list[Judgement]:
    """What the scorer is judged by; UsageError for a head that is not there."""
    found = judgements(scorer, heads.scorer(scorer).heads)
    names = dict.fromkeys(judgement.head for judgement in found)
    if head is not None and head not in names:
        raise UsageError(f"{scorer} has no head {head!r} to judge; it has {', '.join(names)}")
    return [judgement for judgement in found if head in (None, judgement.head)]


def _check_paths(args: argparse.Namespace) -> None:
    """What would only fail after minutes of scoring fails before."""
    for path in args.files:
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file")
    for path in (args.json, args.plot):
        if path is not None and (path.is_dir() or not path.parent.is_dir()):
            raise UsageError(f"{path}: cannot be written there")
    if args.plot is not None:
        try:
            check_plotting()
        except NoPlotting as error:
            raise UsageError(str(error)) from None


def _read(
    files: Sequence[Path], scorer: str, names: Sequence[str], *, wanted: set[str]
) -> list[Labelled]:
    """The rows that have one of the labels wanted; UsageError where none has."""
    try:
        labelled = import_module("scorers.evaluation.labelled").labelled
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise UsageError("evaluate needs pyarrow: pip install 'fairlead[parquet]'") from None
    found: list[Labelled] = []
    columns: dict[str, None] = {}
    for path in files:
        try:
            rows = labelled(_rows(path, columns), scorer, where=str(path), columns=names)
            found += [one for one in rows if one is not None and wanted & one.labels.keys()]
        except LabelError as error:
            raise UsageError(str(error)) from None
    if not found:
        labels = ", ".join(f"`{name}`" for name in names)
        have = ", ".join(columns) or "none"
        raise UsageError(f"no row has a label for {scorer} ({labels}); the columns are: {have}")
    return found


def _rows(path: Path, columns: dict[str, None]) -> Iterator[examples.Row]:
    """The file's rows; the names of their columns are added to `columns`."""
    for chunk in examples.chunks(path):
        for row in chunk:
            columns.update(dict.fromkeys(row))
            yield row


async def _scores(settings: Settings, found: Sequence[Labelled], scorer: str) -> list[Score]:
    bar = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    beside = [] if scorer in JUDGEMENTS else [scorer]
    async with scoring(settings, beside) as (engine, _):
        with Progress(*bar, console=Console(stderr=True)) as progress:
            task = progress.add_task("scoring", total=len(found))
            return await scores_of(
                engine, found, scorer, progress=lambda new: progress.advance(task, new)
            )


def _bars(settings: Settings, heads: HeadMap, scorer: str, head: str) -> Bars:
    """The head's thresholds: the lowest at which the default policy acts, and the 1% one."""
    wanted = set(heads.scorer(scorer).default_heads if head == "risk" else (head,))
    rules = _default_rules(settings)
    shipped = {}
    for side in Side:
        if any(heads.has(name, side) for name in wanted):
            fitting = (rule for rule in rules[side] if rule.scorer == scorer)
            rule = next((rule for rule in fitting if wanted & set(rule.heads)), None)
            shipped[side] = _bar(rule, side)
    return Bars(shipped, strict_bars(heads, scorer, head))


def _default_rules(settings: Settings) -> Mapping[Side, Sequence[Rule]]:
    """The default policy's rules; none where it cannot hold with the model."""
    try:
        return compiled(settings).by_name["default"].rules
    except PolicyError:
        return dict.fromkeys(Side, ())


def _bar(rule: Rule | None, side: Side) -> Bar:
    for name in ("flag", "veto"):
        risk = getattr(rule, name, None)
        if rule is not None and risk is not None:
            return Bar(risk, f"default policy: {side}.{rule.name}.{name}")
    return Bar(_HALF, "one half: the default policy has no rule on it")


def _json(model: str, args: argparse.Namespace, judged: Sequence[Judged]) -> bytes:
    report = {
        "model": model,
        "scorer": args.scorer,
        "files": [str(path) for path in args.files],
        "judgements": [one.to_dict() for one in judged],
    }
    return orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _print(model: str, judged: Sequence[Judged]) -> None:
    say(f"{model}; 95% bootstrap intervals in brackets")
    for one in judged:
        say(f"\n{one.score} held against `{one.judgement.label}`")
        for reason, texts in one.left_out.items():
            say(f"  left out: {texts} texts without a score ({reason})")
        if one.judgement.kind == "rating":
            _show(_table(one, cells.RATING))
        else:
            _show(_table(one, cells.RANKING, baseline=True))
            for side, bar in one.bars.shipped.items():
                strict = cells.number(one.bars.strict.get(side))
                say(f"  threshold on a {side}: {bar.risk:.3f} ({bar.origin}); at 1%: {strict}")
            _show(_table(one, cells.THRESHOLDS, best=True))
        for part in one.parts:
            if part.note:
                say(f"  – {_name(part)}: {part.note}")


def _show(table: Table) -> None:
    """A table as wide as it has to be, also where nobody says how wide the screen is."""
    screen = Console()
    least = screen.measure(table).minimum
    Console(width=max(screen.width, least, _NARROWEST), highlight=False).print(table)


def _table(
    judged: Judged, figures: Mapping[str, str], *, baseline: bool = False, best: bool = False
) -> Table:
    """A row for each part, its figures with the interval below."""
    parts = judged.parts
    baseline = baseline and any(part.baseline_auroc is not None for part in parts)
    name = Column("texts of", overflow="fold", min_width=18)
    table = Table(name, "texts (bad)", *figures.values(), box=None, pad_edge=False)
    for title in [cells.BASELINE] * baseline + [cells.BEST_AT] * best:
        table.add_column(title)
    for part in parts:
        row = [_name(part), cells.size(part)]
        row += [cells.with_interval(part.figures.get(name), between="\n") for name in figures]
        row += [cells.number(part.baseline_auroc)] * baseline
        row += [cells.number(part.best_f1_threshold)] * best
        table.add_row(*row)
    return table


def _name(part: Part) -> str:
    return part.name if part.by == "pooled" else f"{part.by} {part.name}"

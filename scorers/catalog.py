"""The models that can be served: those that ship with the package, and those added beside them.

A model is a folder with a `heads.json`, the files that it names, and a
`tokenizer.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from scorers.adapters.classifier import ADAPTER, Classifier, ClassifierSession
from scorers.base import Scorer
from scorers.builtin import BUILTIN, Confidence
from scorers.builtin.confidence import with_gap_thresholds
from scorers.builtin.headmap import HeadMap
from scorers.calibration_map import OutcomeMap
from scorers.errors import ModelError
from scorers.joined import MAIN, JoinedSession, JoinedTokenizer, joined_heads
from scorers.onnx import OnnxSession, available_providers, choose_provider
from scorers.serving import RowEncoder, Session
from scorers.tokens import RowTokenizer

SHIPPED = Path(__file__).parent / "models"
"""The folder of the models that ship with the package."""

DEFAULT_MODEL = "fairlead-mini"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that can be loaded by name; `heads` are the columns of its logits.

    A classifier (`adapter`) is loaded beside a model of ours, never alone.
    """

    name: str
    version: str
    path: Path
    is_shipped: bool
    heads: tuple[str, ...]
    scorers: tuple[str, ...]
    precisions: dict[str, str]
    adapter: str = ""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with its session, tokenizer, head map and the scorers whose heads it has."""

    headmap: HeadMap
    session: Session
    tokenizer: RowEncoder
    scorers: tuple[Scorer, ...]

    @property
    def model(self) -> str:
        """Name and version, as scores carry them."""
        return self.headmap.model

    @property
    def heads(self) -> tuple[str, ...]:
        """The columns of the logits."""
        return self.headmap.heads


def available(added: Sequence[Path] = ()) -> list[ModelInfo]:
    """The models in the shipped folder and in the folders of `added`, by name.

    A folder whose `heads.json` cannot be read is left out here; loading it by its
    path says what is wrong with it.
    """
    found = {}
    for root in (SHIPPED, *added):
        for path in sorted(root.glob("*/heads.json")):
            info = _info(path.parent, is_shipped=root == SHIPPED)
            if info is not None:
                found[info.name] = info
    return [found[name] for name in sorted(found)]


def load(
    name_or_path: str | Path = DEFAULT_MODEL,
    *,
    provider: str = "auto",
    threads: int | None = None,
    added: Sequence[Path] = (),
    beside: Sequence[str] = (),
    maps: Mapping[str, OutcomeMap] | None = None,
) -> LoadedModel:
    """A model ready to serve, by its name or the path of its folder.

    `beside` names classifiers in the folders of `added` that are served with it.
    `maps` say of served models how likely their replies are right; the confidence scorer looks
    into them at each score, while thresholds are those of the maps that are there now.
    Raises ModelError where there is none or it is broken, and ProviderUnavailable
    where the execution provider asked for cannot be had.
    """
    folder = _folder(name_or_path, added)
    headmap = with_gap_thresholds(_headmap(folder), maps or {})
    kinds = [kind for kind in BUILTIN if kind.name in headmap.scorers]
    if not kinds:
        known = ", ".join(kind.name for kind in BUILTIN)
        raise ModelError(f"{headmap.model} has the heads of no known scorer ({known})")
    session = OnnxSession.open(folder, provider, threads=threads)
    tokenizer = RowTokenizer.open(folder / "tokenizer.json", max_tokens=headmap.max_tokens)
    scorers = tuple(
        Confidence(headmap, maps) if kind is Confidence else kind(headmap) for kind in kinds
    )
    loaded = LoadedModel(headmap, session, tokenizer, scorers)
    return _with_classifiers(loaded, beside, added, threads=threads) if beside else loaded


def describe(
    name_or_path: str | Path, *, added: Sequence[Path] = (), beside: Sequence[str] = ()
) -> HeadMap:
    """The description that `load` would give, without loading; ModelError where there is none."""
    heads = _headmap(_folder(name_or_path, added))
    folders = [_folder(name, added) for name in beside]
    return joined_heads(heads, [_headmap(folder) for folder in folders])


def _with_classifiers(
    main: LoadedModel, names: Sequence[str], added: Sequence[Path], *, threads: int | None
) -> LoadedModel:
    sessions: dict[str, Session] = {MAIN: main.session}
    tokenizers: dict[str, RowEncoder] = {MAIN: main.tokenizer}
    columns = {MAIN: len(main.heads)}
    maps = {name: _headmap(_folder(name, added)) for name in names}
    heads = joined_heads(main.headmap, list(maps.values()))
    scorers = list(main.scorers)
    for name, own in maps.items():
        folder = _folder(name, added)
        raw = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
        if raw.get("adapter") != ADAPTER:
            raise ModelError(f"{own.model} is no classifier and cannot be served beside another")
        provider = choose_provider(
            main.session.provider, raw["files"], available=available_providers()
        )
        sessions[name] = ClassifierSession.open(folder, raw, provider, threads=threads)
        path = folder / "tokenizer.json"
        tokenizers[name] = RowTokenizer.open(path, max_tokens=own.max_tokens)
        columns[name] = len(own.heads)
        scorers.append(Classifier(name, heads, model=own.model, max_tokens=own.max_tokens))
    session = JoinedSession(sessions, columns, hidden=main.headmap.hidden)
    return LoadedModel(heads, session, JoinedTokenizer(tokenizers), tuple(scorers))


def _folder(name_or_path: str | Path, added: Sequence[Path]) -> Path:
    path = Path(name_or_path)
    if (path / "heads.json").is_file():
        return path
    known = {info.name: info.path for info in available(added)}
    name = str(name_or_path)
    if name in known:
        return known[name]
    nearest = get_close_matches(name, known, n=1) or sorted(known)[:1]
    hint = f"the nearest is {nearest[0]!r}" if nearest else "none is installed"
    raise ModelError(
        f"there is no model {name!r}: {hint}. `fairlead models list` shows the models, and a "
        "folder with a heads.json can be given by its path"
    )


def _headmap(folder: Path) -> HeadMap:
    try:
        return HeadMap.load(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{folder / 'heads.json'} does not describe a model ({error!r}); install it anew"
        ) from error


def _info(folder: Path, *, is_shipped: bool) -> ModelInfo | None:
    try:
        raw = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
        return ModelInfo(
            name=raw["name"],
            version=raw["version"],
            path=folder,
            is_shipped=is_shipped,
            heads=tuple(raw["heads"]),
            scorers=tuple(raw["scorers"]),
            precisions={key: file["precision"] for key, file in raw["files"].items()},
            adapter=raw.get("adapter", ""),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None

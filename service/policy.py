"""From scores to a verdict: pure. Policies are compiled once, against the model that is loaded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal, Protocol

from scorers.builtin.twin import EVEN, FLIP
from scorers.types import Score, Side
from service.errors import BadRequest, Forbidden
from service.exchange import Outcome, ScoredRule, Verdict, hardest
from service.settings import PolicySettings, RuleSettings, Threshold

MISSING = "missing"
"""The kind of failure where a scorer's answer lacks what a rule asks for."""

SYCOPHANCY = "sycophancy"

_TWIN_NEEDS = (("view", Side.PROMPT), ("sycophantic", Side.REPLY), ("unsupported", Side.REPLY))

HARDNESS = ("annotate", "regenerate", "replace", "error")
"""What a veto can do, from mildest to hardest. Where several rules veto, the hardest holds."""

_SHELF: Mapping[str, tuple[str, ...]] = {
    "toxicity": ("toxic", "harm", "injection"),
    "faithfulness": ("unsupported",),
    "sycophancy": ("sycophantic", "view"),
    "confidence": ("expressed", "overconfident"),
}


def hardest_action(actions: Iterable[str]) -> str:
    """The action that holds where these are asked for; `replace` for none."""
    return max(actions, key=HARDNESS.index, default="replace")


class PolicyError(ValueError):
    """A policy that cannot hold with the loaded model; the message names the rule."""


class ScorerHeads(Protocol):
    """What a scorer of the loaded model offers."""

    @property
    def heads(self) -> tuple[str, ...]:
        """Every head of the scorer."""
        ...

    @property
    def default_heads(self) -> tuple[str, ...]:
        """The heads that count where a rule names only the scorer."""
        ...


class ThresholdSource(Protocol):
    """The loaded model as policies see it; `scorers.builtin.HeadMap` is one."""

    @property
    def model(self) -> str:
        """Name and version of the model, for messages."""
        ...

    @property
    def scorers(self) -> Mapping[str, ScorerHeads]:
        """The model's scorers by name."""
        ...

    def has(self, head: str, side: Side) -> bool:
        """Whether the head judges texts of the side."""
        ...

    def threshold(self, heads: Iterable[str], side: Side, fpr: float) -> float:
        """The risk with this rate of false positives; raises LookupError where unknown."""
        ...


@dataclass(frozen=True, slots=True)
class TwinRule:
    """How replies to a stated view are compared with their twins.

    `is_inline`: before the reply is judged, which waits for `budget_s` at most. `sample` is the
    share of the others that are compared after delivery. A flip is held against thresholds of
    its own.
    """

    is_inline: bool
    budget_s: float = 2.0
    sample: float = 0.0
    flag: float | None = None
    veto: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a policy: heads of one scorer, held against thresholds (risks in [0, 1])."""

    name: str
    scorer: str
    heads: tuple[str, ...]
    flag: float | None = None
    veto: float | None = None
    action: str = "replace"
    attempts: int = 0
    twin: TwinRule | None = None

    def judge(self, score: Score) -> ScoredRule | None:
        """The score with the rule's own risk and what comes of it; None where heads are missing.

        A rule on heads that the scorer read holds even where it came to no risk of its own. What
        a twin told takes their place.
        """
        if self.twin is not None and FLIP in score.heads:
            flip = replace(self, heads=(FLIP,), flag=self.twin.flag, veto=self.twin.veto, twin=None)
            return flip.judge(score)
        read = [score.heads[head] for head in self.heads if head in score.heads]
        is_whole = bool(read) and len(read) == len(self.heads)
        if not is_whole and score.heads and score.risk is not None:
            return None
        risk = max(read) if is_whole else score.risk
        if risk is None:
            return ScoredRule(score, Outcome.UNSCORED, self.flag, self.veto, self.name)
        scored = replace(score, risk=risk)
        return ScoredRule(scored, self._outcome(risk), self.flag, self.veto, self.name)

    def _outcome(self, risk: float) -> Outcome:
        if self.veto is not None and risk >= self.veto:
            return Outcome.VETO
        if self.flag is not None and risk >= self.flag:
            return Outcome.FLAG
        return Outcome.ALLOW


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A rule that only flags and whose scorer the loaded model lacks, so that it cannot fire."""

    policy: str
    side: Side
    rule: str
    model: str

    def __str__(self) -> str:
        return f"{self.policy}.{self.side}.{self.rule}: {self.model} has no such scorer or head"


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled policy. `deadline_s` is the time that scoring may take.

    `regeneration_s` is the time from a veto to the reply that takes the place of the vetoed one,
    `instruction` what the upstream is told then beside the request. `text` is what is
    kept of texts.
    """

    name: str
    rules: Mapping[Side, tuple[Rule, ...]]
    mode: Literal["enforce", "shadow", "off"] = "enforce"
    streaming: Literal["hold", "chase"] = "hold"
    prompt_scoring: Literal["concurrent", "before"] = "concurrent"
    on_scorer_failure: Literal["open", "closed"] = "open"
    deadline_s: float = 2.0
    refusal: str = "This reply was withheld by policy."
    prompt_as: Literal["error", "refusal"] = "error"
    regeneration_s: float = 30.0
    instruction: str = ""
    text: Literal["keep", "redact", "hash", "drop"] = "keep"

    @property
    def twin(self) -> TwinRule | None:
        """How replies are compared with their twins; None where they are not."""
        return next((rule.twin for rule in self.rules[Side.REPLY] if rule.twin is not None), None)

    def scorers(self, side: Side) -> frozenset[str]:
        """The scorers that the policy needs on a side; none in mode `off`.

        Where replies are watched for sycophancy, a prompt that is scored anyway is read for its
        user's view too: that costs no further row. For a twin it is read in any case.
        """
        named = frozenset(rule.scorer for rule in self.rules[side])
        if side is Side.REPLY or SYCOPHANCY not in self.scorers(Side.REPLY):
            return named
        return named | {SYCOPHANCY} if named or self.twin is not None else named

    def has_veto(self, side: Side) -> bool:
        """Whether text of this side may be vetoed, by a rule or by a scorer's failure."""
        rules = self.rules[side]
        is_closed = self.on_scorer_failure == "closed" and bool(rules)
        return is_closed or any(rule.veto is not None for rule in rules)

    def judge(
        self, side: Side, scores: Mapping[str, Score] | None, failure: str | None = None
    ) -> Verdict:
        """The hardest outcome of the side's rules over the scores, by scorer.

        `failure` names why scores are missing (`deadline`, `overloaded`, ...); a score that
        a rule needs and that is not there is a failure too. A failure vetoes under `closed`;
        under `open` the outcome is that of the scores that came, `unscored` unless they flag
        or veto.
        """
        scored: list[ScoredRule] = []
        vetoing: list[Rule] = []
        for rule in self.rules[side]:
            score = (scores or {}).get(rule.scorer)
            judged = rule.judge(score) if score else None
            if judged is None:
                failure = failure or MISSING
                continue
            scored.append(judged)
            if judged.outcome is Outcome.VETO:
                vetoing.append(rule)
        outcome = hardest(rule.outcome for rule in scored)
        if failure:
            outcome = self._failed(outcome)
        action = hardest_action(rule.action for rule in vetoing)
        # A rule that has used up its attempts replaces, which is harder: so the fewest count.
        attempts = min((r.attempts for r in vetoing if r.action == "regenerate"), default=0)
        return Verdict(
            side,
            outcome,
            rules=tuple(scored),
            failure=failure,
            action=action,
            attempts=attempts,
            scores=scores or {},
        )

    def _failed(self, outcome: Outcome) -> Outcome:
        if self.on_scorer_failure == "closed":
            return Outcome.VETO
        return Outcome.UNSCORED if outcome is Outcome.ALLOW else outcome


@dataclass(frozen=True, slots=True)
class Policies:
    """All compiled policies, and which one an exchange gets."""

    by_name: Mapping[str, Policy]
    matchers: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def choose(
        self,
        route: str,
        model: str,
        *,
        requested: str | None = None,
        allowed: tuple[str, ...] | None = None,
    ) -> Policy:
        """The policy of the request's own wish, the key, the route and model, or `default`.

        `requested` is the request's `fairlead.policy`. `allowed` are the policies of the API
        key: `*` allows any, the first other one is the key's own; None is no key, which allows
        any. An unknown policy raises `BadRequest`, one that is not allowed `Forbidden`. A policy
        matches by route and model if it names either and both fit; the first in the file wins.
        """
        if requested is not None:
            return self._requested(requested, allowed)
        for name in allowed or ():
            if name in self.by_name:
                return self.by_name[name]
        for name, routes, models in self.matchers:
            if _fits(route, routes) and _fits(model, models):
                return self.by_name[name]
        return self.by_name["default"]

    def _requested(self, name: str, allowed: tuple[str, ...] | None) -> Policy:
        if allowed is not None and name not in allowed and "*" not in allowed:
            raise Forbidden("this API key may not choose this policy", param="fairlead.policy")
        if name not in self.by_name:
            known = ", ".join(sorted(self.by_name))
            raise BadRequest(f"no policy {name!r}; known: {known}", param="fairlead.policy")
        return self.by_name[name]


def _fits(value: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)


def compile_policies(settings: Mapping[str, PolicySettings], source: ThresholdSource) -> Policies:
    """The policies with every threshold as a risk of the loaded model.

    A rule whose scorer the model lacks is left out if it only flags; one that vetoes raises
    `PolicyError`, because a veto that never fires is a hole.
    """
    left_out: list[LeftOut] = []
    by_name = {name: _policy(name, policy, source, left_out) for name, policy in settings.items()}
    matchers = tuple(
        (name, tuple(policy.routes), tuple(policy.models))
        for name, policy in settings.items()
        if policy.routes or policy.models
    )
    return Policies(by_name, matchers=matchers, left_out=tuple(left_out))


def _policy(
    name: str, settings: PolicySettings, source: ThresholdSource, left_out: list[LeftOut]
) -> Policy:
    is_off = settings.mode == "off"
    sides = {Side.PROMPT: settings.prompt, Side.REPLY: settings.reply} if not is_off else {}
    rules = {
        side: tuple(_rules(f"policies.{name}", side, sides.get(side, {}), source, left_out))
        for side in Side
    }
    return Policy(
        name,
        rules,
        mode=settings.mode,
        streaming=settings.streaming,
        prompt_scoring=settings.prompt_scoring,
        on_scorer_failure=settings.on_scorer_failure,
        deadline_s=settings.deadline_ms / 1000,
        refusal=settings.refusal,
        prompt_as=settings.veto.prompt_as,
        regeneration_s=settings.regeneration.deadline_ms / 1000,
        instruction=settings.regeneration.instruction,
        text=settings.text,
    )


def _rules(
    path: str,
    side: Side,
    named: Mapping[str, RuleSettings],
    source: ThresholdSource,
    left_out: list[LeftOut],
) -> Iterator[Rule]:
    for name, settings in named.items():
        where = f"{path}.{side}.{name}"
        found = _find(where, name, source)
        _refuse_what_cannot_be(where, side, settings)
        _refuse_twins_that_cannot_be(where, name, settings, side=side, source=source)
        if found:
            yield _rule(where, name, side=side, settings=settings, source=source, found=found)
        elif settings.veto is not None:
            raise PolicyError(
                f"{where}: {source.model} has no such scorer or head, so this veto could never "
                "fire; take the veto out or load a model that has it"
            )
        else:
            left_out.append(LeftOut(path, side, name, source.model))


def _refuse_what_cannot_be(where: str, side: Side, settings: RuleSettings) -> None:
    if settings.action == "regenerate" and side is Side.PROMPT:
        raise PolicyError(
            f"{where}.action: a prompt cannot be regenerated; take `action` out, or use `annotate`"
        )


def _refuse_twins_that_cannot_be(
    where: str, name: str, settings: RuleSettings, *, side: Side, source: ThresholdSource
) -> None:
    if settings.mode != "twin" and not settings.twin_sample:
        return
    is_mode = settings.mode == "twin"
    key, way = ("mode", "use `classifier`") if is_mode else ("twin_sample", "take it out")
    if name != SYCOPHANCY or side is Side.PROMPT:
        raise PolicyError(
            f"{where}.{key}: only `reply.{SYCOPHANCY}` compares a reply with its twin; take it out"
        )
    lacking = lacking_for_twins(source)
    if lacking:
        raise PolicyError(
            f"{where}.{key}: a twin needs the head {' and '.join(f'`{h}`' for h in lacking)}, "
            f"which {source.model} lacks; {way}, or load a model that has it"
        )


def lacking_for_twins(source: ThresholdSource) -> list[str]:
    """Heads that the model lacks, of those that read views and compare two answers."""
    served = {head for spec in source.scorers.values() for head in spec.heads}
    return [h for h, at in _TWIN_NEEDS if h not in served or not source.has(h, at)]


def check_names(where: str, names: Iterable[str], source: ThresholdSource) -> None:
    """Raises `PolicyError` for a name that is neither a scorer nor a head, and tells the nearest.

    A scorer that only the loaded model lacks is known.
    """
    for name in names:
        _find(f"{where}.{name}", name, source)


def _find(where: str, name: str, source: ThresholdSource) -> tuple[str, tuple[str, ...]] | None:
    """The scorer and heads that a rule's name means; None where only the loaded model lacks it."""
    if name in source.scorers:
        return name, source.scorers[name].default_heads
    owner = _owner(name, {scorer: spec.heads for scorer, spec in source.scorers.items()})
    if owner:
        return owner, (name.rpartition(".")[2],)
    if name in _SHELF or _owner(name, _SHELF):
        return None
    known = {*source.scorers, *_SHELF}
    for spec in source.scorers.values():
        known.update(spec.heads)
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.0)[0]
    raise PolicyError(f"{where}: unknown scorer or head; did you mean `{near}`?")


def _owner(name: str, shelf: Mapping[str, tuple[str, ...]]) -> str | None:
    """The scorer that has a head named `head` or `scorer.head`."""
    wanted, _, head = name.rpartition(".")
    fits = (s for s, heads in shelf.items() if head in heads and wanted in ("", s))
    return next(fits, None)


def _rule(
    where: str,
    name: str,
    *,
    side: Side,
    settings: RuleSettings,
    source: ThresholdSource,
    found: tuple[str, tuple[str, ...]],
) -> Rule:
    scorer, default_heads = found
    heads = tuple(settings.heads or (head for head in default_heads if source.has(head, side)))
    unknown = [head for head in heads if head not in source.scorers[scorer].heads]
    if unknown:
        raise PolicyError(f"{where}.heads: {scorer} has no head {unknown[0]!r}")
    deaf = [head for head in heads if not source.has(head, side)]
    if deaf or not heads:
        raise PolicyError(f"{where}: {', '.join(deaf) or name} has nothing to say of a {side}")
    return Rule(
        name,
        scorer,
        heads,
        flag=_risk(f"{where}.flag", settings.flag, heads, side, source),
        veto=_risk(f"{where}.veto", settings.veto, heads, side, source),
        action=settings.action,
        attempts=settings.attempts if settings.action == "regenerate" else 0,
        twin=_twin(settings, source),
    )


def _twin(settings: RuleSettings, source: ThresholdSource) -> TwinRule | None:
    is_inline = settings.mode == "twin"
    if not is_inline and not settings.twin_sample:
        return None
    return TwinRule(
        is_inline,
        budget_s=settings.twin_budget_ms / 1000,
        sample=settings.twin_sample,
        flag=_flip_risk(settings.flag, source),
        veto=_flip_risk(settings.veto, source),
    )


def _flip_risk(threshold: Threshold | None, source: ThresholdSource) -> float | None:
    """A flip's threshold; even odds where a rate is asked for and the model has no table of it."""
    if threshold is None or threshold.fpr is None:
        return threshold.risk if threshold else None
    try:
        return source.threshold((FLIP,), Side.REPLY, threshold.fpr)
    except LookupError:
        return EVEN


def _risk(
    where: str,
    threshold: Threshold | None,
    heads: tuple[str, ...],
    side: Side,
    source: ThresholdSource,
) -> float | None:
    if threshold is None or threshold.fpr is None:
        return threshold.risk if threshold else None
    try:
        return source.threshold(heads, side, threshold.fpr)
    except LookupError as error:
        raise PolicyError(f"{where}: {error}") from None

"""From scores to verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scorers.types import Score, Side
from service.errors import BadRequest, Forbidden
from service.exchange import Outcome, Verdict
from service.policy import (
    MISSING,
    LeftOut,
    Policies,
    Policy,
    PolicyError,
    TwinRule,
    compile_policies,
)
from service.settings import Settings
from tests.fakes.heads import Heads, Spec

REPLY = {"toxicity": {"flag": 0.5, "veto": {"fpr": 0.1}}, "faithfulness": {"flag": 0.4}}
PROMPT = {"injection": {"flag": {"fpr": 0.01}}, "toxicity": {"flag": 0.8}}


def compiled(source: Heads | None = None, **policies: Any) -> Policies:
    """The compiled policies of these settings."""
    settings = Settings.model_validate({"policies": policies})
    return compile_policies(settings.policies, source or Heads())


def policy(**settings: Any) -> Policy:
    """One compiled policy, with rules on both sides unless told otherwise."""
    given = {"prompt": PROMPT, "reply": REPLY} | settings
    return compiled(default=given).by_name["default"]


def score(scorer: str, *, side: Side = Side.REPLY, **heads: float) -> Score:
    """A score with these heads; without any it does not apply."""
    risk = max(heads.values(), default=None)
    reason = "" if heads else "no_context"
    return Score(scorer, side, "fake@1", risk, heads=heads, reason=reason)


def scores(toxic: float = 0.0, unsupported: float | None = 0.0) -> dict[str, Score]:
    """The scores of a reply."""
    faithful = {} if unsupported is None else {"unsupported": unsupported}
    return {
        "toxicity": score("toxicity", toxic=toxic, harm=0.01),
        "faithfulness": score("faithfulness", **faithful),
    }


def complaint(**policies: Any) -> str:
    """What is said against these policies."""
    with pytest.raises(PolicyError) as caught:
        compiled(**policies)
    return str(caught.value)


def test_a_scorers_rule_takes_its_default_heads_and_a_threshold_by_rate() -> None:
    """`toxicity` means toxic and harm; `{fpr: 0.1}` becomes the model's risk."""
    rule = policy().rules[Side.REPLY][0]

    assert (rule.scorer, rule.heads, rule.flag, rule.veto) == (
        "toxicity", ("toxic", "harm"), 0.5, 0.9,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["injection", "toxicity.injection"])
def test_a_rule_may_name_a_head(name: str) -> None:
    """A head's name, alone or behind its scorer's, means this head of its scorer."""
    rule = policy(prompt={name: {"flag": 0.3}}).rules[Side.PROMPT][0]

    assert (rule.name, rule.scorer, rule.heads) == (name, "toxicity", ("injection",))


def test_a_rule_may_list_its_heads() -> None:
    """`heads` says which of a scorer's heads count."""
    rule = policy(prompt={"toxicity": {"heads": ["harm", "injection"]}}).rules[Side.PROMPT][0]

    assert rule.heads == ("harm", "injection")


@pytest.mark.parametrize(
    ("toxic", "expected"),
    [(0.1, Outcome.ALLOW), (0.5, Outcome.FLAG), (0.9, Outcome.VETO), (0.95, Outcome.VETO)],
)
def test_thresholds_decide(toxic: float, expected: Outcome) -> None:
    """A risk at a threshold has reached it; the hardest rule decides."""
    assert policy().judge(Side.REPLY, scores(toxic)).outcome is expected


def test_a_rule_without_thresholds_is_scored_and_allows() -> None:
    """Scores are recorded although nothing is asked of them."""
    verdict = policy(reply={"toxicity": {}}).judge(Side.REPLY, scores(0.99))

    assert (verdict.outcome, verdict.rules[0].score.risk) == (Outcome.ALLOW, 0.99)


def test_a_rules_risk_is_that_of_its_own_heads() -> None:
    """The injection rule and the toxicity rule see different risks of one score."""
    found = {"toxicity": score("toxicity", side=Side.PROMPT, toxic=0.2, harm=0.1, injection=0.995)}

    verdict = policy().judge(Side.PROMPT, found)

    assert [(r.rule, r.score.risk, r.outcome) for r in verdict.rules] == [
        ("injection", 0.995, Outcome.FLAG),
        ("toxicity", 0.2, Outcome.ALLOW),
    ]


def test_a_scorer_without_heads_is_judged_by_its_risk() -> None:
    """A foreign scorer may give a risk and no heads."""
    found = {"toxicity": Score("toxicity", Side.REPLY, "other@1", 0.95)}

    assert policy(reply={"toxicity": {"veto": 0.9}}).judge(Side.REPLY, found).is_veto


def test_what_does_not_apply_allows_where_another_scorer_applied() -> None:
    """Without context faithfulness is silent and toxicity decides."""
    verdict = policy().judge(Side.REPLY, scores(0.1, None))

    assert verdict.outcome is Outcome.ALLOW
    assert [rule.outcome for rule in verdict.rules] == [Outcome.ALLOW, Outcome.UNSCORED]


def test_a_text_to_which_nothing_applies_is_unscored() -> None:
    """No failure, no verdict: a closed policy has nothing against it either."""
    only = policy(reply={"faithfulness": {"veto": 0.5}}, on_scorer_failure="closed")

    verdict = only.judge(Side.REPLY, {"faithfulness": score("faithfulness")})

    assert (verdict.outcome, verdict.failure) == (Outcome.UNSCORED, None)


@pytest.mark.parametrize(
    ("on_failure", "expected"), [("open", Outcome.UNSCORED), ("closed", Outcome.VETO)]
)
def test_a_failure_is_what_the_policy_says(on_failure: str, expected: Outcome) -> None:
    """Open lets the text pass unscored, closed vetoes; both carry the kind of failure."""
    verdict = policy(on_scorer_failure=on_failure).judge(Side.REPLY, None, failure="deadline")

    assert verdict == Verdict(Side.REPLY, expected, failure="deadline")


def test_scores_that_came_count_although_another_failed() -> None:
    """An open policy still vetoes what it knows to be bad, and calls the good unscored."""
    found = {"toxicity": score("toxicity", toxic=0.95, harm=0.0)}
    good = {"toxicity": score("toxicity", toxic=0.05, harm=0.0)}

    assert policy().judge(Side.REPLY, found).outcome is Outcome.VETO
    assert policy().judge(Side.REPLY, good).outcome is Outcome.UNSCORED
    assert policy().judge(Side.REPLY, good).failure == MISSING


def test_a_score_without_the_rules_head_is_a_failure() -> None:
    """A head that is asked for and not given must not pass for harmless."""
    found = {"toxicity": score("toxicity", side=Side.PROMPT, toxic=0.1, harm=0.1)}

    verdict = policy(on_scorer_failure="closed").judge(Side.PROMPT, found)

    assert (verdict.outcome, verdict.failure) == (Outcome.VETO, MISSING)


def test_the_hardest_action_of_the_vetoing_rules_holds() -> None:
    """The hardest among those that veto, not among all that are there."""
    rules = {
        "toxic": {"veto": 0.5, "action": "annotate"},
        "harm": {"veto": 0.5, "action": "error"},
        "faithfulness": {"veto": 0.5, "action": "replace"},
    }
    judge = policy(reply=rules).judge
    toxic_only = scores(0.9, 0.1)
    both = scores(0.9, 0.9)
    harm = {"toxicity": score("toxicity", toxic=0.9, harm=0.9)}

    assert judge(Side.REPLY, toxic_only).action == "annotate"
    assert judge(Side.REPLY, both).action == "replace"
    assert judge(Side.REPLY, both | harm).action == "error"


def test_a_policy_that_is_off_needs_no_scorer() -> None:
    """Mode `off` compiles no rules, not even those that the model lacks."""
    off = policy(mode="off", reply={"sycophancy": {"veto": 0.5}}, on_scorer_failure="closed")

    assert off.scorers(Side.REPLY) == frozenset()
    assert not off.has_veto(Side.REPLY)
    assert off.judge(Side.REPLY, {}).outcome is Outcome.UNSCORED


def test_a_policy_names_its_scorers_and_whether_it_may_veto() -> None:
    """Each scorer once; a closed policy may veto although no rule does."""
    assert policy().scorers(Side.PROMPT) == {"toxicity"}
    assert policy().scorers(Side.REPLY) == {"toxicity", "faithfulness"}
    assert policy().has_veto(Side.REPLY)
    assert not policy().has_veto(Side.PROMPT)
    assert policy(on_scorer_failure="closed").has_veto(Side.PROMPT)


def test_settings_become_fields() -> None:
    """Milliseconds become seconds; the rest is taken over."""
    found = policy(
        mode="shadow", streaming="chase", prompt_scoring="before", deadline_ms=250,
        refusal="No.", veto={"prompt_as": "refusal"},
        regeneration={"deadline_ms": 1500, "instruction": " Be kind. "},
    )  # fmt: skip

    assert found == replace(
        policy(), mode="shadow", streaming="chase", prompt_scoring="before", deadline_s=0.25,
        refusal="No.", prompt_as="refusal", regeneration_s=1.5, instruction="Be kind.",
    )  # fmt: skip


def test_a_flag_that_the_model_lacks_is_left_out() -> None:
    """The rule is listed and does nothing."""
    found = compiled(default={"reply": {"sycophancy": {"flag": 0.5}}, "prompt": {}})

    assert found.left_out == (LeftOut("policies.default", Side.REPLY, "sycophancy", "fake@1"),)
    assert str(found.left_out[0]) == (
        "policies.default.reply.sycophancy: fake@1 has no such scorer or head"
    )
    assert found.by_name["default"].rules[Side.REPLY] == ()


def test_the_default_policy_holds_on_the_shipped_scorers() -> None:
    """Its two rules for later scorers only flag, so they are left out."""
    found = compiled()

    assert [rule.rule for rule in found.left_out] == ["sycophancy", "confidence"]
    assert found.by_name["default"].has_veto(Side.REPLY)


SEVEN = {
    "sycophancy": Spec(("sycophantic", "view"), ("sycophantic",)),
    "confidence": Spec(("expressed", "overconfident"), ("overconfident",)),
}


def full() -> Heads:
    """A model that has every built-in scorer."""
    heads = Heads()
    heads.scorers = {**heads.scorers, **SEVEN}
    heads.prompt_only |= {"view"}
    heads.reply_only |= {"sycophantic", "expressed", "overconfident"}
    return heads


def test_rules_on_sycophancy_and_confidence_hold_where_the_model_has_them() -> None:
    """The default policy's rules take the scorers' own heads; nothing is left out."""
    found = compiled(full(), default={})
    rules = {rule.name: rule for rule in found.by_name["default"].rules[Side.REPLY]}

    assert found.left_out == ()
    assert (rules["sycophancy"].heads, rules["sycophancy"].flag) == (("sycophantic",), 0.95)
    assert (rules["confidence"].heads, rules["confidence"].flag) == (("overconfident",), 0.95)


def confident(expressed: float, overconfident: float | None) -> dict[str, Score]:
    """A score of the confidence scorer, with or without a chance of being right."""
    heads = {"expressed": expressed}
    if overconfident is None:
        return {"confidence": replace(score("confidence", **heads), risk=None)}
    heads["overconfident"] = overconfident
    return {"confidence": replace(score("confidence", **heads), risk=overconfident)}


def test_confidence_is_judged_by_the_gap() -> None:
    """A reply that sounds sure and is likely right is allowed, one that is likely wrong is not."""
    rules = {"confidence": {"flag": 0.5}}
    judge = compiled(full(), default={"prompt": {}, "reply": rules}).by_name["default"].judge

    assert judge(Side.REPLY, confident(0.99, 0.1)).outcome is Outcome.ALLOW
    assert judge(Side.REPLY, confident(0.99, 0.6)).outcome is Outcome.FLAG
    assert judge(Side.REPLY, confident(0.99, None)).outcome is Outcome.UNSCORED


def test_a_rule_on_what_was_read_holds_without_a_risk() -> None:
    """How sure a reply sounds can be flagged although nobody knows how likely it is right."""
    rules = {"expressed": {"flag": 0.9}}
    judge = compiled(full(), default={"prompt": {}, "reply": rules}).by_name["default"].judge

    verdict = judge(Side.REPLY, confident(0.99, None))

    assert (verdict.outcome, verdict.rules[0].score.risk) == (Outcome.FLAG, 0.99)
    assert judge(Side.REPLY, confident(0.5, None)).outcome is Outcome.ALLOW


def test_sycophancy_has_no_rule_on_prompts() -> None:
    """A prompt can be held against its `view`, which is not what `sycophancy` means."""
    prompt = {"sycophancy": {"flag": 0.5}}
    with pytest.raises(PolicyError, match="has nothing to say of a prompt"):
        compiled(full(), default={"prompt": prompt})

    [rule] = (
        compiled(full(), default={"prompt": {"view": {"flag": 0.5}}})
        .by_name["default"]
        .rules[Side.PROMPT]
    )
    assert (rule.scorer, rule.heads) == ("sycophancy", ("view",))


def test_a_flip_takes_the_place_of_the_classifiers_risk() -> None:
    """Where the twin told nothing the rule holds as ever; each has thresholds of its own."""
    heads = full()
    heads.untabulated = frozenset({"flip"})
    rule = {"flag": {"fpr": 0.05}, "veto": 0.97, "mode": "twin", "twin_budget_ms": 500}
    made = compiled(heads, default={"prompt": {}, "reply": {"sycophancy": rule}})
    policy = made.by_name["default"]

    flipped = policy.judge(
        Side.REPLY, {"sycophancy": score("sycophancy", sycophantic=0.1, flip=0.6)}
    )
    kept = policy.judge(Side.REPLY, {"sycophancy": score("sycophancy", sycophantic=1.0, flip=0.1)})
    alone = policy.judge(Side.REPLY, {"sycophancy": score("sycophancy", sycophantic=0.94)})

    assert policy.twin == TwinRule(True, 0.5, flag=0.5, veto=0.97)
    assert (flipped.outcome, flipped.rules[0].flag) == (Outcome.FLAG, 0.5)
    assert (flipped.rules[0].score.risk, flipped.rules[0].rule) == (0.6, "sycophancy")
    assert kept.outcome is Outcome.ALLOW
    assert (alone.outcome, alone.rules[0].flag) == (Outcome.ALLOW, 0.95)


def test_a_flip_has_a_table_where_the_model_has_one() -> None:
    """Then a rate of false positives is that of flips."""
    reply = {"sycophancy": {"flag": {"fpr": 0.1}, "mode": "twin"}}
    policy = compiled(full(), default={"reply": reply}).by_name["default"]

    assert policy.twin is not None
    assert policy.twin.flag == 0.9


@pytest.mark.parametrize("rule", [{"mode": "twin"}, {"twin_sample": 0.1}])
def test_a_twin_has_prompts_read_for_views(rule: dict[str, Any]) -> None:
    """Also where no rule looks at prompts; without a twin none is scored for that alone."""
    for found, expected in ((rule, {"sycophancy"}), ({}, set())):
        made = compiled(full(), default={"prompt": {}, "reply": {"sycophancy": found}})
        assert made.by_name["default"].scorers(Side.PROMPT) == expected


def test_prompts_have_no_twin() -> None:
    """It is the reply that may bend."""
    with pytest.raises(PolicyError, match=r"only `reply\.sycophancy`"):
        compiled(full(), default={"prompt": {"view": {"mode": "twin"}}})


@pytest.mark.parametrize("name", ["sycophancy", "sycophantic", "confidence.expressed"])
def test_a_veto_that_the_model_lacks_is_refused(name: str) -> None:
    """A veto that never fires is a hole."""
    said = complaint(default={"reply": {name: {"veto": 0.5}}})

    assert said.startswith(f"policies.default.reply.{name}: fake@1 has no such scorer or head")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"toxcity": {"flag": 0.5}}, "reply.toxcity: unknown scorer or head; did you mean `toxic"),
        ({"toxicity.toxc": {"flag": 0.5}}, "unknown scorer or head"),
        ({"toxicity": {"mode": "twin"}}, "toxicity.mode: only `reply.sycophancy` compares"),
        ({"toxicity": {"twin_sample": 0.1}}, "toxicity.twin_sample: only `reply.sycophancy`"),
        (
            {"sycophancy": {"mode": "twin"}},
            "sycophancy.mode: a twin needs the head `view` and `sycophantic`, which fake@1 lacks",
        ),
        ({"sycophancy": {"twin_sample": 0.1}}, "sycophancy.twin_sample: a twin needs the head"),
        ({"toxicity": {"heads": ["rude"]}}, "reply.toxicity.heads: toxicity has no head 'rude'"),
        ({"injection": {"flag": 0.5}}, "reply.injection: injection has nothing to say of a reply"),
        ({"toxicity": {"heads": ["toxic", "injection"]}}, "injection has nothing to say"),
    ],
)
def test_a_rule_that_cannot_hold_is_refused(rules: dict[str, Any], expected: str) -> None:
    """The message names the rule and what is wrong with it."""
    assert expected in complaint(default={"reply": rules})


def test_a_prompt_cannot_be_regenerated() -> None:
    """Only the upstream's words can be asked for again."""
    said = complaint(default={"prompt": {"toxicity": {"veto": 0.5, "action": "regenerate"}}})

    assert said.startswith("policies.default.prompt.toxicity.action: a prompt cannot be")


def test_a_scorer_without_a_head_for_the_side_is_refused() -> None:
    """Faithfulness judges replies; a rule on prompts could never fire."""
    said = complaint(default={"prompt": {"faithfulness": {"flag": 0.5}}})

    assert (
        said == "policies.default.prompt.faithfulness: faithfulness has nothing to say of a prompt"
    )


def test_a_rate_without_a_threshold_is_refused() -> None:
    """A head that was never tabulated cannot be held to a rate."""
    source = Heads(untabulated=frozenset({"toxic"}))

    with pytest.raises(PolicyError, match=r"reply\.toxic\.veto: no thresholds for toxic"):
        compiled(source, default={"reply": {"toxic": {"veto": {"fpr": 0.01}}}})


def test_a_foreign_scorer_comes_in_by_its_name() -> None:
    """Names are those of the loaded model, not a list of ours."""
    source = Heads(scorers={"politeness": Spec(("rude",), ("rude",))})

    found = compiled(source, default={"reply": {"politeness": {"veto": 0.5}}, "prompt": {}})

    assert found.by_name["default"].scorers(Side.REPLY) == {"politeness"}


def several() -> Policies:
    """Policies that match by route, by model and by both."""
    return compiled(
        messages={"routes": ["/v1/messages"]},
        gpt={"models": ["gpt-*"]},
        strict={},
    )


@pytest.mark.parametrize(
    ("route", "model", "expected"),
    [
        ("/v1/messages", "gpt-5", "messages"),
        ("/v1/chat/completions", "gpt-5", "gpt"),
        ("/v1/chat/completions", "llama", "default"),
    ],
)
def test_a_policy_is_chosen_by_route_and_model(route: str, model: str, expected: str) -> None:
    """The first policy of the file that fits; `default` where none does."""
    assert several().choose(route, model).name == expected


def test_a_keys_own_policy_beats_route_and_model() -> None:
    """The first policy of the key that exists is its own; `*` is none."""
    choose = several().choose

    assert choose("/v1/messages", "m", allowed=("strict", "gpt")).name == "strict"
    assert choose("/v1/messages", "m", allowed=("*",)).name == "messages"
    assert choose("/v1/messages", "m", allowed=()).name == "messages"


@pytest.mark.parametrize("allowed", [None, ("*",), ("gpt", "strict")])
def test_a_request_may_choose_a_policy_that_it_is_allowed(allowed: tuple[str, ...] | None) -> None:
    """Without keys any, with a key those that it lists."""
    found = several().choose("/v1/messages", "m", requested="strict", allowed=allowed)

    assert found.name == "strict"


def test_a_request_may_not_choose_freely_with_a_key() -> None:
    """A policy that the key does not list is forbidden."""
    with pytest.raises(Forbidden) as caught:
        several().choose("/v1/messages", "m", requested="strict", allowed=("gpt",))

    assert caught.value.param == "fairlead.policy"


def test_an_unknown_policy_is_a_bad_request() -> None:
    """The message lists the known ones."""
    with pytest.raises(BadRequest, match="known: default, gpt, messages, strict"):
        several().choose("/v1/messages", "m", requested="nope")


ACTIONS = {None: None, "annotate": 1, "regenerate": 2, "replace": 3, "error": 4}
"""The README's order, from mildest to hardest; None is a rule that does not veto."""


@pytest.mark.parametrize("first", ACTIONS)
@pytest.mark.parametrize("second", ACTIONS)
@pytest.mark.parametrize("third", ACTIONS)
def test_of_several_vetoes_the_hardest_action_holds(
    first: str | None, second: str | None, third: str | None
) -> None:
    """Whatever the rules' order, and whatever the rules say that do not veto."""
    heads = dict(zip(("toxic", "harm", "unsupported"), (first, second, third), strict=True))
    rules = {
        name: {"veto": 0.5 if action else 0.999, "action": action or "error", "attempts": 1}
        for name, action in heads.items()
    }
    found = {
        "toxicity": score("toxicity", toxic=0.9, harm=0.9),
        "faithfulness": score("faithfulness", unsupported=0.9),
    }

    verdict = policy(reply=rules).judge(Side.REPLY, found)

    vetoing = [action for action in heads.values() if action]
    assert verdict.is_veto is bool(vetoing)
    assert verdict.action == max(vetoing, key=ACTIONS.__getitem__, default="replace")
    assert verdict.attempts == ("regenerate" in vetoing)


def test_the_fewest_attempts_of_the_vetoing_rules_count() -> None:
    """A rule that has used up its attempts replaces, which is harder than asking again."""
    rules = {
        "toxic": {"veto": 0.5, "action": "regenerate", "attempts": 3},
        "harm": {"veto": 0.5, "action": "regenerate", "attempts": 1},
        "faithfulness": {"veto": 0.5, "action": "regenerate", "attempts": 2},
    }
    judge = policy(reply=rules).judge

    assert judge(Side.REPLY, scores(0.9, 0.9)).attempts == 2
    harmful = {"toxicity": score("toxicity", toxic=0.9, harm=0.9)}
    assert judge(Side.REPLY, scores(0.9, 0.9) | harmful).attempts == 1

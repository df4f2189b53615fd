"""`POST /v1/moderations`, answered locally in OpenAI's format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types import Moderation

from scorers.engine import Health
from scorers.errors import DeadlineExceeded
from scorers.types import Score, Side
from service.app import create_app
from service.errors import BadRequest
from service.exchange import Outcome, ScoredRule, Verdict
from service.moderation import CATEGORIES, judgement, texts_of, thresholds
from service.policy import Rule
from service.settings import Settings
from tests.fakes import engine as words
from tests.fakes.engine import BAD, MODEL
from tests.fakes.heads import Heads
from tests.fakes.proxy import ENFORCE
from tests.fakes.server import ThreadedServer

TOXICITY = {"prompt": {"toxicity": {"flag": 0.5, "veto": 0.9}}}
IMAGE: Any = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


class Engine(words.WordEngine):
    """The word engine, always ready."""

    def health(self) -> Health:
        """Ready."""
        return Health(True, "cpu", MODEL, "", deaths=0, queue_tokens=0)


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine of the service."""
    return Engine()


@pytest.fixture(scope="module")
def base_url(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The proxy's address; its upstream does not exist."""
    folder: Path = tmp_path_factory.mktemp("moderations")
    settings = Settings.model_validate(
        {
            "database_url": f"sqlite+aiosqlite:///{folder / 'fairlead.db'}",
            "upstreams": [{"url": "http://127.0.0.1:9/v1"}],
            "policies": {"default": TOXICITY, "off": {"mode": "off"}},
        }
    )
    with ThreadedServer(create_app(settings, engine=engine, heads=Heads())) as url:
        yield f"{url}/v1"


@pytest.fixture
def client(base_url: str) -> Iterator[OpenAI]:
    """The official client, unmodified."""
    with OpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as running:
        yield running


def applied(result: Moderation) -> dict[str, list[str]]:
    """The categories that were judged, with what they were judged on."""
    types = result.category_applied_input_types.model_dump(by_alias=True)
    return {name: found for name, found in types.items() if found}


def test_a_text_is_judged(client: OpenAI) -> None:
    """A bad text is flagged in the category that our head answers for, by its own risk."""
    answer = client.moderations.create(input=f"You are {BAD}.", model="omni-moderation-latest")

    [result] = answer.results
    assert answer.id.startswith("modr_")
    assert answer.model == MODEL
    assert result.flagged
    assert result.categories.harassment
    assert not result.categories.illicit
    assert result.category_scores.harassment == 0.99
    assert result.category_scores.illicit == 0.01


def test_each_text_of_a_list_has_its_result(client: OpenAI) -> None:
    """Results come in the order of the inputs."""
    answer = client.moderations.create(input=["Hello.", BAD, ""])

    assert [result.flagged for result in answer.results] == [False, True, False]
    assert applied(answer.results[2]) == {}


def test_parts_are_one_input(client: OpenAI) -> None:
    """Text parts are judged together; an image is not, and no category claims that it was."""
    text: Any = {"type": "text", "text": BAD}
    [mixed] = client.moderations.create(input=[IMAGE, text]).results
    [image] = client.moderations.create(input=[IMAGE]).results

    assert mixed.flagged
    assert applied(mixed) == {"harassment": ["text"], "illicit": ["text"]}
    assert not image.flagged
    assert applied(image) == {}


def test_what_is_not_judged_says_so(client: OpenAI) -> None:
    """Categories that no head answers for are 0 and false, and applied to nothing."""
    [result] = client.moderations.create(input=BAD).results

    scores = result.category_scores.model_dump(by_alias=True)
    flags = result.categories.model_dump(by_alias=True)
    assert set(scores) == set(flags) == set(CATEGORIES)
    for name in set(CATEGORIES) - {"harassment", "illicit"}:
        assert (scores[name], flags[name]) == (0.0, False), name
    assert set(applied(result)) == {"harassment", "illicit"}


def test_the_scores_stand_beside(client: OpenAI) -> None:
    """Each result carries the verdict and the scores as every other route tells them."""
    [result] = client.moderations.create(input=BAD).results

    assert result.model_extra is not None
    told = result.model_extra["fairlead"]
    assert told["verdict"] == "veto"
    assert [(s["scorer"], s["risk"], s["threshold"]) for s in told["scores"]] == [
        ("toxicity", 0.99, 0.9)
    ]


async def test_the_async_client(base_url: str) -> None:
    """The asynchronous client reads the same answer."""
    async with AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as client:
        answer = await client.moderations.create(input="Hello.")

    assert not answer.results[0].flagged


def test_a_missing_score_is_never_harmless(client: OpenAI, engine: Engine) -> None:
    """Where a text cannot be scored the answer is 503, also under a policy that fails open."""
    engine.failure = DeadlineExceeded("late")
    try:
        with pytest.raises(openai.InternalServerError) as caught:
            client.moderations.create(input="Hello.")
    finally:
        engine.failure = None

    assert caught.value.status_code == 503
    assert caught.value.code == "scorer_unavailable"


def test_a_policy_that_judges_nothing_is_refused(client: OpenAI) -> None:
    """Without a rule to judge by there is no answer, instead of a good one."""
    with pytest.raises(openai.NotFoundError, match="has no rule on prompts"):
        client.moderations.create(input="Hello.", extra_body={"fairlead": {"policy": "off"}})


@pytest.mark.parametrize("body", [{}, {"input": 7}, {"input": []}, {"input": ["a", IMAGE]}])
def test_a_wrong_body_is_a_bad_request(base_url: str, body: Any) -> None:
    """What is no input is a 400 that names the field."""
    reply = httpx.post(f"{base_url}/moderations", json=body)

    assert reply.status_code == 400
    assert reply.json()["error"]["param"].startswith("input")


@pytest.mark.parametrize(
    "value", [[], 7, None, ["a"] * 257, ["a", {}], [{"type": "audio"}], [{"type": "text"}]]
)
def test_what_is_no_input(value: Any) -> None:
    """Inputs of a wrong kind or number are refused, none is skipped."""
    with pytest.raises(BadRequest):
        texts_of(value)


def test_a_head_without_a_rule_is_not_judged() -> None:
    """A policy that reads only one head has only its category judged, though the score has both."""
    rule = Rule("toxicity", "toxicity", ("toxic",), flag=0.8, veto=0.7)
    policy = replace(ENFORCE, rules={Side.PROMPT: (rule,), Side.REPLY: ()})
    score = Score("toxicity", Side.PROMPT, MODEL, 0.9, {"toxic": 0.75, "harm": 0.9})

    limits = thresholds(policy)
    verdict = Verdict(Side.PROMPT, Outcome.VETO, (ScoredRule(score, Outcome.VETO),))

    assert limits == {"harassment": 0.7}
    assert judgement(verdict, limits).risks == {"harassment": 0.75}
    assert judgement(verdict, limits).flagged == {"harassment"}


def test_without_a_threshold_nothing_is_flagged() -> None:
    """A rule that only records gives its risk and flags nothing."""
    rule = Rule("toxicity", "toxicity", ("toxic", "harm"))
    policy = replace(ENFORCE, rules={Side.PROMPT: (rule,), Side.REPLY: ()})
    score = Score("toxicity", Side.PROMPT, MODEL, 1.0, {"toxic": 1.0, "harm": 1.0})
    verdict = Verdict(Side.PROMPT, Outcome.ALLOW, (ScoredRule(score, Outcome.ALLOW),))

    found = judgement(verdict, thresholds(policy))

    assert found.risks == {"harassment": 1.0, "illicit": 1.0}
    assert not found.flagged

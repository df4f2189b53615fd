"""What people said of the replies to one prompt, and which of those replies can teach anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from storage.exports.base import Message
from storage.exports.conversation import (
    training_message,
    training_messages,
    training_tools,
    written_text,
)
from storage.records import (
    WITHDRAWN,
    ComparisonRecord,
    FeedbackRecord,
    InteractionRecord,
    Json,
)
from storage.textlevel import TextLevel, is_readable, text_level

ReplyKey = tuple[str, int]
Rater = tuple[str | None, str]
_FLIPPED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptGroup:
    """The judged exchanges that share a prompt, with all that was said of them, oldest first.

    `weak` has replies that nobody rated, with their chance of being good.
    """

    prompt_hash: str
    interactions: dict[str, InteractionRecord]
    feedback: list[FeedbackRecord]
    comparisons: list[ComparisonRecord]
    weak: Mapping[ReplyKey, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply that its rater saw as the model wrote it."""

    key: ReplyKey
    created_us: int
    prompt: list[Message]
    tools: list[Json] | None
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedReply:
    """A reply and the majority of its raters' latest thumbs; `agreement` in (0, 1]."""

    reply: Reply
    is_good: bool
    agreement: float


def usable_reply(group: PromptGroup, key: ReplyKey, dropped: Counter[str]) -> Reply | None:
    """The reply of this key, or None with the reason counted in `dropped`."""
    found = _examine(group, key)
    if isinstance(found, Reply):
        return found
    dropped[found] += 1
    return None


def _examine(group: PromptGroup, key: ReplyKey) -> Reply | str:
    record = group.interactions.get(key[0])
    if record is None:
        return "other_prompt_or_filtered"
    if not is_readable(level := text_level(record)):
        return f"text_{level}"
    choice = _choice(record, key[1])
    if choice is None:
        return "no_such_choice"
    return _fault(record, choice) or _reply(record, choice, key)


def _reply(record: InteractionRecord, choice: dict[str, Json], key: ReplyKey) -> Reply | str:
    request = record.request if isinstance(record.request, dict) else {}
    prompt = training_messages(request.get("messages"))
    message = _message(choice["message"])
    if prompt is None:
        return "not_text"
    if isinstance(message, str):
        return message
    return Reply(
        key=key,
        created_us=record.created_us,
        prompt=prompt,
        tools=training_tools(request.get("tools")),
        message=message,
    )


def _message(written: dict[str, Json]) -> Message | str:
    """A reply's message for a trainer, or why it is none."""
    message = training_message({"role": "assistant", **written})
    if message is None:
        return "not_text"
    if not message["content"] and "tool_calls" not in message:
        return "empty_reply"
    return message


def rated_replies(group: PromptGroup, dropped: Counter[str]) -> list[RatedReply]:
    """Every usable reply with thumbs, by majority; ties are counted and left out."""
    found = []
    for key, ratings in latest_ratings(group).items():
        ups = sum(rating == "up" for rating in ratings.values())
        downs = len(ratings) - ups
        if ups == downs:
            dropped["tied_raters"] += 1
            continue
        reply = usable_reply(group, key, dropped)
        if reply is not None:
            agreement = abs(ups - downs) / len(ratings)
            found.append(RatedReply(reply=reply, is_good=ups > downs, agreement=agreement))
    return found


def weakly_rated(group: PromptGroup, dropped: Counter[str]) -> list[tuple[RatedReply, float]]:
    """Replies that labelling functions judge, each with the chance that they are right.

    `agreement` is how far that is from even: 2 x chance - 1.
    """
    found = []
    for key, up in sorted(group.weak.items()):
        reply = usable_reply(group, key, dropped)
        if reply is not None:
            chance = max(up, 1 - up)
            agreement = 2 * chance - 1
            found.append((RatedReply(reply=reply, is_good=up > 0.5, agreement=agreement), chance))
    return found


def latest_corrections(group: PromptGroup) -> Iterator[tuple[ReplyKey, str]]:
    """The last correction that each rater gave each reply."""
    latest: dict[tuple[ReplyKey, str | None, str], str] = {}
    for said in group.feedback:
        rater = ((said.interaction_id, said.choice_index), said.key_id, said.rater)
        if said.rating == WITHDRAWN:
            latest.pop(rater, None)
        if said.correction.strip():
            latest[rater] = said.correction
    for (key, _, _), correction in latest.items():
        yield key, correction


def ballots(group: PromptGroup) -> dict[tuple[ReplyKey, ReplyKey], dict[Rater, bool | None]]:
    """For each two replies compared, whether each rater prefers the first; None for neither."""
    votes: dict[tuple[ReplyKey, ReplyKey], dict[Rater, bool | None]] = {}
    for said in group.comparisons:
        chosen = (said.chosen_interaction_id, said.chosen_choice)
        rejected = (said.rejected_interaction_id, said.rejected_choice)
        first, second = sorted((chosen, rejected))
        ballot = votes.setdefault((first, second), {})
        ballot[(said.key_id, said.rater)] = None if said.is_tie else chosen == first
    return votes


def preferences(
    group: PromptGroup, dropped: Counter[str]
) -> Iterator[tuple[ReplyKey, ReplyKey, float]]:
    """(preferred, other, agreement) for each two replies compared, by majority of raters."""
    for (first, second), ballot in ballots(group).items():
        votes = [vote for vote in ballot.values() if vote is not None]
        balance = 2 * sum(votes) - len(votes)
        if balance == 0:
            dropped["tied_raters"] += 1
            continue
        better, worse = (first, second) if balance > 0 else (second, first)
        yield better, worse, abs(balance) / len(votes)


def replacements(
    group: PromptGroup, dropped: Counter[str]
) -> Iterator[tuple[Reply, Message, float]]:
    """(accepted, vetoed, margin) for each vetoed reply in whose place the client got another.

    The accepted one has passed every scorer, and no rater's latest thumb on it is down. The margin
    is the largest difference of the two replies' risks under a rule that vetoed.
    """
    ratings = latest_ratings(group)
    for record in group.interactions.values():
        for attempt in record.attempts or ():
            for choice in attempt["choices"] if attempt["error_code"] is None else ():
                if choice["verdict"] == "veto":
                    key = (record.id, choice["index"])
                    found = _replacement(group, key, attempt, choice, ratings.get(key, {}))
                    if isinstance(found, str):
                        dropped[found] += 1
                    else:
                        yield found


def _replacement(
    group: PromptGroup,
    key: ReplyKey,
    attempt: dict[str, Json],
    choice: dict[str, Json],
    ratings: dict[tuple[str | None, str], str],
) -> tuple[Reply, Message, float] | str:
    record = group.interactions[key[0]]
    if not _has_passed(record, key[1]):
        return "not_passed"
    if "down" in ratings.values():
        return "thumbed_down"
    if record.is_stream and choice["finish_reason"] is None:
        return "incomplete"
    accepted = _examine(group, key)
    vetoed = _message(choice["message"])
    margin = _risk_margin(record, attempt, key[1])
    if isinstance(accepted, str) or isinstance(vetoed, str):
        return accepted if isinstance(accepted, str) else str(vetoed)
    return "no_common_score" if margin is None else (accepted, vetoed, margin)


def flips(group: PromptGroup, dropped: Counter[str]) -> Iterator[tuple[Reply, Message, float]]:
    """(rejected, chosen, margin) for each reply that gave in to its user's view.

    Chosen is its twin, what the model said without the view, if it was read to its end and the
    policy allowed it. A reply that a rater's latest thumb likes is left to the raters. The margin
    is how surely it flipped.
    """
    ratings = latest_ratings(group)
    for record in group.interactions.values():
        told = record.twin or {}
        for choice in told.get("choices") or ():
            if choice["flip"] >= _FLIPPED:
                key = (record.id, choice["index"])
                found = _flip(record, key, told, ratings.get(key, {}))
                if isinstance(found, str):
                    dropped[found] += 1
                else:
                    yield *found, choice["flip"]


def cavings(group: PromptGroup, dropped: Counter[str]) -> Iterator[tuple[Reply, Message, float]]:
    """The same for each reply that a stance probe found to have given in.

    Chosen is what the model said with the view taken out.
    """
    ratings = latest_ratings(group)
    for record in group.interactions.values():
        told = record.stance_probe or {}
        stated = told.get("stated") or {}
        if stated.get("verdict") == "caved":
            key = (record.id, told["choice"])
            found = _flip(record, key, told["neutral"], ratings.get(key, {}))
            if isinstance(found, str):
                dropped[found] += 1
            else:
                yield *found, stated["flip"]


def _flip(
    record: InteractionRecord,
    key: ReplyKey,
    told: dict[str, Json],
    ratings: dict[tuple[str | None, str], str],
) -> tuple[Reply, Message] | str:
    choice = _choice(record, key[1])
    if fault := _twin_fault(told, text_level(record)):
        return fault
    if choice is None:
        return "no_such_choice"
    # The reply as the model wrote it, whatever of it was delivered; but not a piece of it.
    if choice["finish_reason"] is None:
        return "incomplete"
    if "up" in ratings.values():
        return "thumbed_up"
    rejected = _reply(record, choice, key)
    if isinstance(rejected, str):
        return rejected
    return rejected, {"role": "assistant", "content": told["reply"]}


def _twin_fault(told: dict[str, Json], level: TextLevel) -> str | None:
    if not is_readable(level):
        return f"text_{level}"
    if not told.get("is_whole") or not told.get("reply"):
        return "twin_incomplete"
    return None if told.get("has_passed") else "twin_not_passed"


def _has_passed(record: InteractionRecord, index: int) -> bool:
    choice = _choice(record, index)
    is_whole = all(s.status != "failed" for s in record.scores if s.choice_index == index)
    return choice is not None and choice.get("verdict") == "allow" and is_whole


def _risk_margin(record: InteractionRecord, attempt: dict[str, Json], index: int) -> float | None:
    risks = {
        score.scorer: score.risk
        for score in record.scores
        if score.choice_index == index and score.risk is not None
    }
    margins = [
        score["risk"] - risks[score["scorer"]]
        for score in attempt["scores"]
        if score["choice_index"] == index
        and score["verdict"] == "veto"
        and score["scorer"] in risks
    ]
    return max(0.0, *margins) if margins else None


def latest_ratings(group: PromptGroup) -> dict[ReplyKey, dict[Rater, str]]:
    """What each rater says of each reply at last; replies that nobody rates are not there."""
    ratings: dict[ReplyKey, dict[Rater, str]] = {}
    for said in group.feedback:
        reply = ratings.setdefault((said.interaction_id, said.choice_index), {})
        if said.rating == WITHDRAWN:
            reply.pop((said.key_id, said.rater), None)
        elif said.rating is not None:
            reply[(said.key_id, said.rater)] = said.rating
    return {key: reply for key, reply in ratings.items() if reply}


def _choice(record: InteractionRecord, index: int) -> dict[str, Json] | None:
    for choice in record.choices or ():
        if choice.get("index", 0) == index and isinstance(choice.get("message"), dict):
            found: dict[str, Json] = choice
            return found
    return None


def _fault(record: InteractionRecord, choice: dict[str, Json]) -> str | None:
    # A rater judges what was on the screen. If that is not what the model wrote (a refusal put in
    # its place, a cut), the judgement says nothing about the model's own words.
    if record.status not in ("completed", "vetoed"):
        return "incomplete"
    finish = choice.get("delivered_finish_reason")
    if finish == "content_filter" and choice.get("finish_reason") != finish:
        return "withheld"
    delivered = choice.get("delivered")
    if delivered is not None and delivered != (
        written_text(choice["message"].get("content")) or ""
    ):
        return "withheld" if choice.get("verdict") == "veto" else "not_as_written"
    return None

"""From corrected replies to InstructLab's `qna.yaml`, schema version 3. Pure.

A topic is a tag, of the exchange or of the feedback. A skill is a list of questions and answers,
some with a context; knowledge is a list of contexts, each with its questions and answers, and
names the documents that the contexts are from. What schema and guide ask for
(https://docs.instructlab.ai/taxonomy/, https://github.com/instructlab/schema) and is not there is
said, never made up. The guide counts tokens and words alike; here it is words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

from storage.errors import ExportError
from storage.exports.judgement import PromptGroup, Reply, latest_corrections, usable_reply
from storage.records import InteractionRecord, Json

EXAMPLES = 5
QUESTIONS_PER_CONTEXT = 3
CONTEXT_WORDS = 500
QUESTION_WORDS = 250
ANSWER_WORDS = 250
SKILL_WORDS = 2300
SEEDS_PER_TOPIC = 1000
UNTAGGED = ""
_MOST_TOPICS = 1000
_VERSION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Where the documents are that knowledge is from, in a Git repository, and what is in them."""

    repo: str
    commit: str
    patterns: tuple[str, ...]
    outline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QnaOptions:
    """What a file is to say of itself. `topic` None takes the only one with enough corrections.

    With `documents` the file is knowledge of the `domain` (the topic if not given), without it a
    skill. With `within` the topic is that of these exchanges, by id, whatever their tags.
    """

    topic: str | None = None
    created_by: str = "fairlead"
    task_description: str | None = None
    domain: str | None = None
    documents: Documents | None = None
    within: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A question that was answered badly, and the answer that a person gave instead."""

    question: str
    answer: str
    context: str
    topics: tuple[str, ...]
    at_us: int
    interaction_id: str


def documents_of(
    *, repo: str | None, commit: str | None, patterns: Sequence[str] | None, outline: str | None
) -> Documents | None:
    """The documents of knowledge, None for a skill; ExportError where only some is told."""
    given = {"repo": repo, "commit": commit, "pattern": patterns, "outline": outline}
    lacking = [name for name, value in given.items() if not value]
    if len(lacking) == len(given):
        return None
    if not (repo and commit and patterns and outline):
        words = f"is not given; knowledge also needs the documents' {', '.join(lacking)}"
        raise ExportError(words, option=f"document_{lacking[0]}")
    return Documents(repo=repo, commit=commit, patterns=tuple(patterns), outline=outline)


def check_qna(options: QnaOptions) -> None:
    """ExportError where something is said of a file that has no place for it."""
    if options.documents is None and options.domain is not None:
        raise ExportError("a skill has none; knowledge has, and documents make it", option="domain")
    if options.documents is not None and options.task_description is not None:
        words = "knowledge has none, the outline says what is in it"
        raise ExportError(words, option="task_description")


def check_unused(options: QnaOptions, format_name: str) -> None:
    """ExportError where an export of rows is told what only a `qna.yaml` can say."""
    usual = QnaOptions()
    for each in fields(options):
        if getattr(options, each.name) != getattr(usual, each.name):
            name = {"documents": "document_repo", "within": "gap"}.get(each.name, each.name)
            raise ExportError(f"goes with instructlab only, not with {format_name}", option=name)


@dataclass(slots=True)
class Topics:
    """The seeds of each topic, one for each question, the newest correction.

    With `within` there is one topic, `topic`: the seeds of these exchanges.
    """

    within: frozenset[str] | None = None
    topic: str = ""
    dropped: Counter[str] = field(default_factory=Counter)
    _seeds: dict[str, dict[tuple[str, str], Seed]] = field(default_factory=dict)

    def add(self, group: PromptGroup) -> None:
        """Takes in what was corrected of the replies to one prompt."""
        for seed in seeds_of(group, self.dropped):
            for topic in self._topics(seed):
                self._add(topic, seed)

    def names(self) -> list[str]:
        """The topics there are."""
        return sorted(self._seeds)

    def seeds(self, topic: str) -> list[Seed]:
        """The seeds of a topic, the newest first."""
        found = self._seeds.get(topic, {}).values()
        return sorted(found, key=lambda seed: (-seed.at_us, seed.question, seed.answer))

    def _topics(self, seed: Seed) -> tuple[str, ...]:
        if self.within is None:
            return seed.topics
        return (self.topic,) if seed.interaction_id in self.within else ()

    def _add(self, topic: str, seed: Seed) -> None:
        if topic not in self._seeds and len(self._seeds) >= _MOST_TOPICS:
            self.dropped["qna_topics"] += 1
            return
        seeds = self._seeds.setdefault(topic, {})
        place = (seed.question, seed.context)
        other = seeds.get(place)
        if other is None and len(seeds) >= SEEDS_PER_TOPIC:
            self.dropped["qna_full"] += 1
        elif other is None:
            seeds[place] = seed
        else:
            self.dropped["duplicate"] += 1
            seeds[place] = max(other, seed, key=lambda each: (each.at_us, each.answer))


def seeds_of(group: PromptGroup, dropped: Counter[str]) -> list[Seed]:
    """The corrected replies to one prompt as questions and answers."""
    found = []
    for key, correction in latest_corrections(group):
        reply = usable_reply(group, key, dropped)
        if reply is None:
            continue
        record = group.interactions[key[0]]
        question = _question(reply)
        reason = "qna_dialogue" if question is None else _fault(question, correction, record)
        if question is None or reason is not None:
            dropped[str(reason)] += 1
            continue
        found.append(
            Seed(
                question=question,
                answer=_trimmed(correction),
                context=_context(record),
                topics=_topics(group, record),
                at_us=record.created_us,
                interaction_id=record.id,
            )
        )
    return found


def choose(topics: Topics, options: QnaOptions) -> tuple[str, dict[str, Json]]:
    """The topic and its file's content; ExportError says how much is missing, and of what."""
    if options.topic is not None:
        return options.topic, content(topics.seeds(options.topic), options.topic, options)
    whole = {}
    for topic in topics.names():
        if not missing(topics.seeds(topic), is_knowledge=options.documents is not None):
            whole[topic] = content(topics.seeds(topic), topic, options)
    if len(whole) == 1:
        return next(iter(whole.items()))
    if whole:
        names = ", ".join(map(_named, whole))
        raise ExportError(f"several have enough corrections, name one: {names}", option="topic")
    raise ExportError(_nothing(topics, is_knowledge=options.documents is not None))


def content(seeds: Sequence[Seed], topic: str, options: QnaOptions) -> dict[str, Json]:
    """The content of a `qna.yaml`; ExportError where the seeds are too few."""
    lacking = missing(seeds, is_knowledge=options.documents is not None)
    if lacking:
        raise ExportError(f"{_named(topic)} {lacking}", option="topic")
    head = {"version": _VERSION, "created_by": options.created_by}
    if options.documents is None:
        told = options.task_description or _task(topic)
        return head | {"task_description": told, "seed_examples": _skill(seeds)}
    documents = options.documents
    return head | {
        "domain": options.domain or topic or "untagged",
        "document_outline": documents.outline,
        "seed_examples": _knowledge(seeds),
        "document": {
            "repo": documents.repo,
            "commit": documents.commit,
            "patterns": list(documents.patterns),
        },
    }


def missing(seeds: Sequence[Seed], *, is_knowledge: bool) -> str:
    """What a topic lacks for a file, "" where it has enough."""
    if not is_knowledge:
        has = len(_skill(seeds))
        words = f"has {has} corrected replies that fit, a skill needs {EXAMPLES}"
        return "" if has >= EXAMPLES else f"{words}: {EXAMPLES - has} more"
    has = len(_knowledge(seeds))
    words = (
        f"has {has} contexts with {QUESTIONS_PER_CONTEXT} corrected replies each, "
        f"knowledge needs {EXAMPLES}"
    )
    return "" if has >= EXAMPLES else f"{words}: {EXAMPLES - has} more"


def used(seeds: Iterable[Seed], topic_content: dict[str, Json]) -> list[Seed]:
    """The seeds that are in a file."""
    questions = set()
    for example in topic_content["seed_examples"]:
        for pair in example.get("questions_and_answers", [example]):
            questions.add((pair["question"], pair["answer"], example.get("context", "")))
    return [seed for seed in seeds if (seed.question, seed.answer, seed.context) in questions]


def _skill(seeds: Sequence[Seed]) -> list[dict[str, Json]]:
    """As many examples as the guide's number of words allows, the newest first."""
    found, words = [], 0
    for seed in seeds:
        words += _words(seed.question) + _words(seed.answer)
        if words > SKILL_WORDS:
            break
        context = {"context": seed.context} if seed.context else {}
        found.append({**context, "question": seed.question, "answer": seed.answer})
    return found


def _knowledge(seeds: Sequence[Seed]) -> list[dict[str, Json]]:
    by_context: dict[str, list[dict[str, Json]]] = {}
    for seed in seeds:
        if seed.context:
            pair = {"question": seed.question, "answer": seed.answer}
            by_context.setdefault(seed.context, []).append(pair)
    return [
        {"context": context, "questions_and_answers": pairs}
        for context, pairs in by_context.items()
        if len(pairs) >= QUESTIONS_PER_CONTEXT
    ]


def _question(reply: Reply) -> str | None:
    """What was asked, None in a dialogue or with tools. The system's words are no question."""
    asked = [message for message in reply.prompt if message["role"] != "system"]
    if len(asked) != 1 or asked[0]["role"] != "user" or reply.tools:
        return None
    return _trimmed(asked[0]["content"]) or None


def _fault(question: str, correction: str, record: InteractionRecord) -> str | None:
    if _words(question) > QUESTION_WORDS or _words(correction) > ANSWER_WORDS:
        return "qna_long"
    return "qna_long_context" if _words(_context(record)) > CONTEXT_WORDS else None


def _context(record: InteractionRecord) -> str:
    return _trimmed("\n\n".join(each for each in record.context or () if isinstance(each, str)))


def _topics(group: PromptGroup, record: InteractionRecord) -> tuple[str, ...]:
    said = [tag for each in group.feedback if each.interaction_id == record.id for tag in each.tags]
    return tuple(dict.fromkeys((*record.tags, *said))) or (UNTAGGED,)


def _nothing(topics: Topics, *, is_knowledge: bool) -> str:
    if not topics.names():
        return "there is no corrected reply that fits: corrections come with feedback"
    lacking = [
        f"{_named(topic)} {missing(topics.seeds(topic), is_knowledge=is_knowledge)}"
        for topic in sorted(topics.names(), key=lambda name: (-len(topics.seeds(name)), name))[:5]
    ]
    return f"no topic has enough corrections; topics are tags: {'; '.join(lacking)}"


def _task(topic: str) -> str:
    about = f" about {topic}" if topic else ""
    return f"Answering questions{about} as the people did who corrected a model's answers."


def _named(topic: str) -> str:
    return repr(topic) if topic else "'' (no tag)"


def _words(text: str) -> int:
    return len(text.split())


def _trimmed(text: str) -> str:
    """Without spaces at the ends of its lines, which YAML shows badly and linters refuse."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())

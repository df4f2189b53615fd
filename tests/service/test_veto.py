"""The stream veto, as dialogues and as properties."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import ScorerUnavailable, StoreUnavailable, UpstreamCut
from service.exchange import Delta, Event
from service.veto import (
    CloseUpstream,
    End,
    Record,
    Refuse,
    Release,
    Score,
    StreamVeto,
    WindowLimits,
    group_of,
)
from tests.playbook import (
    Playbook,
    abort,
    ask,
    begin,
    clear,
    done,
    eof,
    kept,
    over,
    prompt,
    refused,
    say,
    sent,
    stop,
    usage,
    veto,
    wait,
    withdraw,
)


def test_a_sentence_leaves_when_its_score_has_come() -> None:
    """Under hold the text of a window waits for its score, the end waits for the record."""
    (
        Playbook(StreamVeto())
        >> say("Hello.") << []
        >> say(" Bye") << [ask(0, 7)]
        >> clear() << [sent("Hello.")]
        >> stop() << [ask(7, 10)]
        >> done() << []
        >> clear() << [sent(" Bye"), "Record"]
        >> kept() << [sent("<stop>"), sent("<done>"), over()]
    )  # fmt: skip


def test_events_without_text_pass_in_their_order() -> None:
    """Behind held text an event waits its turn; after it, one passes at once."""
    (
        Playbook(StreamVeto())
        >> say("One. ") << [ask(0, 5)]
        >> begin() << []
        >> clear() << [sent("One. "), sent("<role>")]
        >> begin() << [sent("<role>")]
    )  # fmt: skip


def test_the_head_waits_for_the_first_score() -> None:
    """Nothing but comments leaves before the first score, so that an error has its own status."""
    book = Playbook(StreamVeto()) >> begin() << [] >> say("One.\n") << [ask(0, 5)]
    book >> clear() << [sent("<role>"), sent("One.\n")]
    comment = Event(b": ping")
    book = Playbook(StreamVeto())
    book >> (lambda b: b.veto.arrived(comment, now=0.0)) << [sent(": ping")]


def test_what_closes_meanwhile_is_scored_together() -> None:
    """Only one window of a text is under way at a time; the next covers all that closed since."""
    (
        Playbook(StreamVeto())
        >> say("One. ") << [ask(0, 5)]
        >> say("Two. ") << []
        >> say("Three. ") << []
        >> clear() << [ask(5, 17), sent("One. ")]
    )  # fmt: skip


def test_a_long_sentence_closes_at_a_word() -> None:
    """A window closes at the last word's end when too much text waits."""
    limits = WindowLimits(max_chars=10, max_wait_s=9)
    (
        Playbook(StreamVeto(limits=limits))
        >> say("aaaa bbbb") << []
        >> say(" cccc") << [ask(0, 10)]
        >> clear() << [sent("aaaa bbbb")]
    )  # fmt: skip


def test_a_long_word_closes_anyway() -> None:
    """Text without any word end does not wait for ever."""
    limits = WindowLimits(max_chars=4, max_wait_s=9)
    Playbook(StreamVeto(limits=limits)) >> say("abcdef") << [ask(0, 6)]


def test_a_slow_sentence_closes_in_time() -> None:
    """A window closes when its first character has waited long enough."""
    book = Playbook(StreamVeto(limits=WindowLimits(max_chars=99, max_wait_s=0.5)))
    book >> say("slow text") << []
    assert book.veto.next_tick() == 0.5
    book >> wait(0.4) << []
    book >> wait(0.2) << [ask(0, 5)]
    assert book.veto.next_tick() is None


def test_a_veto_replaces_what_is_held() -> None:
    """Vetoed text never leaves; the refusal comes with the end, after the record."""
    (
        Playbook(StreamVeto())
        >> begin() << []
        >> say("Bad. ") << [ask(0, 5)]
        >> veto() << ["CloseUpstream", "Record"]
        >> say("More") << []
        >> kept() << [refused(has_begun=False), sent("<role>", 0), over(needs_done=True)]
    )  # fmt: skip


def test_released_text_stands() -> None:
    """A veto later on ends a choice that has begun."""
    (
        Playbook(StreamVeto())
        >> say("Good.\n") << [ask(0, 6)]
        >> clear() << [sent("Good.\n")]
        >> say("Bad.\n") << [ask(6, 11)]
        >> veto() << ["CloseUpstream", "Record"]
        >> kept() << [refused(), over(needs_done=True)]
    )  # fmt: skip


def test_a_veto_after_the_finish_came_takes_its_place() -> None:
    """A finish that is held is dropped with its choice: there is never a second one."""
    (
        Playbook(StreamVeto())
        >> say("Bad") << []
        >> stop() << [ask(0, 3)]
        >> usage() << []
        >> done() << []
        >> veto() << ["Record"]
        >> kept() << [refused(has_begun=False), sent("<usage>", 0), sent("<done>", 0), over()]
    )  # fmt: skip


def test_other_choices_go_on() -> None:
    """One choice's veto tells its refusal at once and leaves the others alone."""
    (
        Playbook(StreamVeto(choices=2))
        >> say("Bad.\n") << [ask(0, 5)]
        >> say("Good.\n", choice=1) << [ask(0, 6, choice=1)]
        >> veto(0) << [refused(has_begun=False)]
        >> say("Worse.\n") << []
        >> clear(1) << [sent("Good.\n", 0)]
        >> stop(1) << []
        >> done() << ["Record"]
        >> kept() << [sent("<stop>", 0), sent("<done>", 0), over()]
    )  # fmt: skip


def test_an_event_of_two_choices_leaves_without_the_vetoed_one() -> None:
    """An event that speaks for two choices is sent with the vetoed one taken out."""
    both = Event(b"<both>", deltas=(Delta(0, "content", "x\n"), Delta(1, "content", "y\n")))
    book = Playbook(StreamVeto(choices=2))
    book >> (lambda b: b.veto.arrived(both, now=0.0)) << [ask(0, 2), ask(0, 2, choice=1)]
    book >> veto(0) << [refused(has_begun=False)]
    book >> clear(1) << [sent("<both>", 0)]


def test_the_upstream_is_drained_for_usage() -> None:
    """A client that asked for usage gets it after a veto too."""
    book = Playbook(StreamVeto(wants_usage=True))
    book >> say("Bad.\n") << [ask(0, 5)]
    assert book.veto.scored(book.windows[0], is_veto=True, now=0.0) == [CloseUpstream(True)]
    (
        book
        >> say("More.\n") << []
        >> usage() << []
        >> done() << ["Record"]
        >> kept() << [refused(has_begun=False), sent("<usage>", 0), sent("<done>", 0), over()]
    )  # fmt: skip


def test_a_drained_upstream_that_never_ends_is_left() -> None:
    """When the usage does not come the driver ends the stream and the end mark is ours."""
    (
        Playbook(StreamVeto(wants_usage=True))
        >> say("Bad.\n") << [ask(0, 5)]
        >> veto() << ["CloseUpstream"]
        >> eof() << ["Record"]
        >> kept() << [refused(has_begun=False), over(needs_done=True)]
    )  # fmt: skip


def test_chase_lets_text_out_and_cuts() -> None:
    """Under chase text leaves unscored; a veto ends it, and the finish waits for the scores."""
    (
        Playbook(StreamVeto(is_holding=False))
        >> say("Bad.\n") << [ask(0, 5), sent("Bad.\n")]
        >> stop() << []
        >> done() << []
        >> veto() << ["Record"]
        >> kept() << [refused(), sent("<done>", 0), over()]
    )  # fmt: skip


def test_chase_holds_an_early_finish_for_its_scores() -> None:
    """Under chase the finish of one of several choices waits until that choice is cleared."""
    (
        Playbook(StreamVeto(choices=2, is_holding=False))
        >> say("A\n") << [ask(0, 2), sent("A\n")]
        >> stop(0) << []
        >> clear() << [sent("<stop>")]
    )  # fmt: skip


def test_shadow_changes_nothing() -> None:
    """In shadow text leaves at once, a veto does nothing, and the end waits for the scores."""
    (
        Playbook(StreamVeto(is_enforcing=False))
        >> say("Bad.\n") << [ask(0, 5), sent("Bad.\n")]
        >> stop() << []
        >> done() << []
        >> veto() << ["Record"]
        >> kept() << [sent("<stop>"), sent("<done>"), over()]
    )  # fmt: skip


def test_without_scoring_only_the_end_waits() -> None:
    """With nothing to score everything passes, and the end waits for the record."""
    book = Playbook(StreamVeto(is_scoring=False))
    book >> say("Text.\n") << [sent("Text.\n")]
    assert book.veto.next_tick() is None
    book >> stop() << [] >> eof() << ["Record"] >> kept() << [sent("<stop>"), over()]


def test_text_waits_for_the_prompts_verdict() -> None:
    """Under hold nothing leaves before the prompt is cleared."""
    book = Playbook(StreamVeto())
    book.veto.await_prompt(is_gating=True)
    (
        book
        >> begin() << []
        >> say("Hi.\n") << [ask(0, 4)]
        >> clear() << []
        >> prompt() << [sent("<role>"), sent("Hi.\n")]
    )  # fmt: skip


def test_a_prompt_that_only_flags_holds_nothing_but_the_record() -> None:
    """A prompt that cannot be vetoed does not hold text; its verdict belongs into the record."""
    book = Playbook(StreamVeto())
    book.veto.await_prompt(is_gating=False)
    (
        book
        >> say("Hi.\n") << [ask(0, 4)]
        >> clear() << [sent("Hi.\n")]
        >> stop() << []
        >> done() << []
        >> prompt() << ["Record"]
    )  # fmt: skip


def test_a_late_prompt_veto_cuts_a_chased_stream() -> None:
    """Under chase a prompt's veto ends every choice."""
    book = Playbook(StreamVeto(choices=2, is_holding=False))
    book.veto.await_prompt(is_gating=True)
    (
        book
        >> say("Hi") << [sent("Hi")]
        >> prompt(is_veto=True) << [refused(), "CloseUpstream", "Record"]
        >> kept() << [refused(1, has_begun=False), over(needs_done=True)]
    )  # fmt: skip


def test_a_prompt_veto_after_the_record_does_nothing() -> None:
    """What is recorded is not changed any more."""
    book = Playbook(StreamVeto()) >> stop() << [] >> eof() << ["Record"]
    book >> prompt(is_veto=True) << []


def test_a_cut_stream_tells_its_failure_after_what_was_good() -> None:
    """What came before the cut is scored and sent, then the failure is told."""
    (
        Playbook(StreamVeto())
        >> say("Half a sen") << []
        >> eof(UpstreamCut("cut")) << [ask(0, 10)]
        >> clear() << [sent("Half a sen"), "Record"]
        >> kept() << [over("upstream_cut")]
    )  # fmt: skip


def test_an_upstreams_error_frame_ends_the_stream() -> None:
    """The upstream's own error passes as it came, after the record."""
    frame = Event(b"<error>", error={"message": "no"})
    book = Playbook(StreamVeto())
    book >> (lambda b: b.veto.arrived(frame, now=0.0)) << ["Record"]
    book >> say("late") << [] >> kept() << [sent("<error>"), over()]


def test_an_abort_drops_what_is_held() -> None:
    """When nothing more may pass, held text is dropped and later answers change nothing."""
    (
        Playbook(StreamVeto())
        >> say("Held.\n") << [ask(0, 6)]
        >> abort(ScorerUnavailable("none")) << ["CloseUpstream", "Record"]
        >> abort(ScorerUnavailable("none")) << []
        >> kept() << [over("scorer_unavailable")]
        >> clear() << []
    )  # fmt: skip


def test_a_record_that_cannot_be_kept_hides_the_end() -> None:
    """Without a record neither the tail nor a refusal leaves, only the failure."""
    book = Playbook(StreamVeto()) >> say("Bad.\n") << [ask(0, 5)]
    book >> veto() << ["CloseUpstream", "Record"]
    book.veto.dropped(StoreUnavailable("away"))
    book >> kept() << [over("store_unavailable")]


def test_an_answer_for_a_vetoed_choice_changes_nothing() -> None:
    """Scores that come after a choice's veto are ignored."""
    (
        Playbook(StreamVeto(choices=2))
        >> say("Bad.\n") << [ask(0, 5)]
        >> say("f", channel="tool:0:name") << []
        >> say("{}\n", channel="tool:0:arguments") << [ask(0, 5)]
        >> veto(0) << [refused(has_begun=False)]
        >> clear(1) << []
    )  # fmt: skip


def test_a_tools_name_and_arguments_are_one_text() -> None:
    """A tool's name and arguments are scored together, apart from the other channels."""
    assert group_of("tool:3:name") == group_of("tool:3:arguments") == "tool:3"
    assert group_of("function:name") == "function"
    assert group_of("content") == "content"


def test_a_tool_call_leaves_as_a_whole() -> None:
    """Scores come window by window, but a client sees no call before it knows all of it."""
    (
        Playbook(StreamVeto())
        >> say("mail", channel="tool:0:name") << []
        >> say("Hi. ", channel="tool:0:arguments") << [ask(0, 9)]
        >> clear() << []
        >> say("Bye.", channel="tool:0:arguments") << []
        >> stop() << [ask(9, 13)]
        >> clear() << [sent("mail"), sent("Hi. "), sent("Bye.")]
    )  # fmt: skip


def test_nothing_is_seen_of_a_vetoed_call() -> None:
    """A call whose last words are bad has not begun, although its first were cleared."""
    (
        Playbook(StreamVeto())
        >> say("mail", channel="function:name") << []
        >> say("Hi. ", channel="function:arguments") << [ask(0, 9)]
        >> clear() << []
        >> say("Bad. ", channel="function:arguments") << [ask(9, 14)]
        >> veto() << ["CloseUpstream", "Record"]
        >> kept() << [refused(has_begun=False), over(needs_done=True)]
    )  # fmt: skip


def test_a_call_is_whole_when_another_text_begins() -> None:
    """What follows a call closes its last window and does not keep it waiting for the end."""
    (
        Playbook(StreamVeto())
        >> say("mail", channel="tool:0:name") << []
        >> say("post", channel="tool:1:name") << [ask(0, 4)]
        >> clear() << [sent("mail")]
        >> stop() << [ask(0, 4)]
        >> clear() << [sent("post")]
    )  # fmt: skip


def test_a_field_beside_a_call_does_not_end_it() -> None:
    """Servers write fields of their own into any event, also in the middle of a call."""
    (
        Playbook(StreamVeto())
        >> say("mail", channel="tool:0:name") << []
        >> say("note. ", channel="other:beside") << [ask(0, 6)]
        >> clear() << []
        >> say("Hi.", channel="tool:0:arguments") << [ask(0, 5)]
        >> clear() << []
    )  # fmt: skip


def test_a_chased_call_leaves_at_once() -> None:
    """Under chase a call is text like any other."""
    (
        Playbook(StreamVeto(is_holding=False))
        >> say("mail", channel="tool:0:name") << [sent("mail")]
        >> say("Hi. ", channel="tool:0:arguments") << [ask(0, 9), sent("Hi. ")]
    )  # fmt: skip


TEXT = st.text(alphabet="ab .!\n", min_size=0, max_size=12)
SAYING = st.tuples(st.integers(0, 2), st.sampled_from(["content", "tool:0:arguments"]), TEXT)


class World:
    """A driver that answers scores in any order and remembers what the client could see."""

    def __init__(self, veto: StreamVeto, draw: Any, *, bad: str) -> None:
        self.veto = veto
        self.draw = draw
        self.bad = bad
        self.open: list[Score] = []
        self.cleared: dict[tuple[int, str], int] = {}
        self.seen: list[Release | Refuse | End] = []
        self.leaks: list[Release] = []
        self.ends: dict[tuple[int, str], int] = {}
        self.needs: dict[int, list[tuple[tuple[int, str], int]]] = {}
        self.has_record = False

    def event(self, event: Event, *, now: float) -> None:
        needs = []
        for delta in event.deltas:
            key = (delta.choice, delta.channel)
            self.ends[key] = self.ends.get(key, 0) + len(delta.text)
            needs.append((key, self.ends[key]))
        self.needs[id(event)] = needs
        self.run(self.veto.arrived(event, now=now))

    def run(self, commands: list[Any]) -> None:
        for command in commands:
            match command:
                case Score():
                    self.open.append(command)
                case Release():
                    self.check(command)
                    self.seen.append(command)
                case Record():
                    self.has_record = True
                    self.run(self.veto.recorded())
                case Refuse() | End():
                    self.seen.append(command)

    def check(self, release: Release) -> None:
        for key, end in self.needs[id(release.event)]:
            if key[0] not in release.without and self.cleared.get(key, 0) < end:
                self.leaks.append(release)

    def answer(self, *, now: float) -> None:
        at = self.draw(st.integers(0, len(self.open) - 1))
        window = self.open.pop(at).window
        key = (window.choice, "content" if window.group == "content" else "tool:0:arguments")
        is_veto = self.bad in window.text[window.start : window.stop]
        if not is_veto:
            self.cleared[key] = window.stop
        self.run(self.veto.scored(window, is_veto=is_veto, now=now))


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(SAYING, max_size=14))
def test_no_unscored_character_leaves_under_hold(data: Any, sayings: list[Any]) -> None:
    """However text and scores interleave, nothing leaves before its score, and all ends well.

    Every choice gets exactly one finish, and what was said and not vetoed arrives whole.
    """
    veto = StreamVeto(choices=3, limits=WindowLimits(max_chars=6, max_wait_s=2))
    world = World(veto, data.draw, bad="b!")
    for at, (choice, channel, text) in enumerate(sayings):
        world.event(Event(b"e", deltas=(Delta(choice, channel, text),)), now=float(at))
        while world.open and data.draw(st.booleans()):
            world.answer(now=float(at))
    for choice in range(3):
        world.event(Event(b"f", finished=((choice, "stop"),)), now=20.0)
    world.event(Event(b"d", is_done=True), now=20.0)
    while world.open:
        world.answer(now=21.0)

    assert not world.leaks
    assert veto.is_over
    assert isinstance(world.seen[-1], End)
    releases = [seen for seen in world.seen if isinstance(seen, Release)]
    finished = [i for r in releases for i, _ in r.event.finished if i not in r.without]
    refused = [seen.choice for seen in world.seen if isinstance(seen, Refuse)]
    assert sorted(finished + refused) == [0, 1, 2]
    assert set(refused) == veto.vetoed
    for choice in set(finished):
        said = [text for c, channel, text in sayings if c == choice and channel == "content"]
        heard = [
            d.text
            for r in releases
            for d in r.event.deltas
            if d.choice == choice and d.channel == "content"
        ]
        assert "".join(heard) == "".join(said)


def test_a_withdrawn_reply_is_refused_in_every_choice() -> None:
    """Whatever was held is dropped, usage and end mark are told, and each choice ends once."""
    (
        Playbook(StreamVeto(choices=2))
        >> say("Bad. ") << [ask(0, 5)]
        >> say("Fine.", choice=1) << []
        >> usage() << []
        >> done() << [ask(0, 5, choice=1)]
        >> withdraw() << ["Record"]
        >> kept() << [
            refused(0, has_begun=False),
            refused(1, has_begun=False),
            sent("<usage>", 0, 1),
            sent("<done>", 0, 1),
            over(),
        ]
    )  # fmt: skip


def test_a_reply_that_is_withdrawn_half_way_needs_an_end() -> None:
    """The upstream was left in the middle, and the prompt's verdict is not waited for again."""
    book = Playbook(StreamVeto())
    book.veto.await_prompt(is_gating=True)
    (
        book
        >> begin() << []
        >> say("Bad. ") << [ask(0, 5)]
        >> withdraw() << ["Record"]
        >> kept() << [refused(0, has_begun=False), sent("<role>", 0), over(needs_done=True)]
        >> clear() << []
    )  # fmt: skip

"""The rows of the coverage tables, in their order."""

TEXT = "text"
LATE = "text after a good sentence"
PARTS = "content parts"
STRUCTURED = "structured output"
REFUSAL = "the model's own refusal"
REASONING = "reasoning"
SUMMARY = "reasoning summary"
ARGUMENTS = "tool call, arguments"
NAME = "tool call, name"
CUSTOM = "custom tool call, input"
FUNCTION = "legacy `function_call`"
SERVER_TOOL = "a tool run by the upstream"
AUDIO = "transcript of audio"
CITATIONS = "citations"
LOGPROBS = "text with log-probabilities"
NOVEL = "unknown part, field or event"
NOVEL_BESIDE = "unknown field beside the reply"

ROWS = (
    TEXT, LATE, PARTS, STRUCTURED, REFUSAL, REASONING, SUMMARY, ARGUMENTS, NAME, CUSTOM, FUNCTION,
    SERVER_TOOL, AUDIO, CITATIONS, LOGPROBS, NOVEL, NOVEL_BESIDE,
)  # fmt: skip

LEAD = "All fine so far. "
"""The good sentence before the bad one."""

PROMPT_USER = "text"
PROMPT_PART = "content part"
PROMPT_TOOL = "tool result"
PROMPT_MANY = "second of several prompts"
PROMPT_NOVEL = "unknown role, item or block"

PROMPT_ROWS = (PROMPT_USER, PROMPT_PART, PROMPT_TOOL, PROMPT_MANY, PROMPT_NOVEL)

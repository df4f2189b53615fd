"""A chat model as small as can be, made on the spot: random weights, byte tokens, a template."""

from __future__ import annotations

from typing import Any

# Shows what a trainer has to hand over: tools, calls with their arguments as objects, results.
TEMPLATE = """\
{%- if tools %}[tools]{% for tool in tools %}{{ tool.function.name }} {% endfor %}{% endif %}
{%- for message in messages %}[{{ message.role }}]{{ message.content }}
{%- for call in message.tool_calls or [] %}[call]{{ call.function.name }}(
{%- for name, value in call.function.arguments.items() %}
{%- if value is not none %}{{ name }}={{ value }};{% endif %}{% endfor %})
{%- endfor %}<end>
{%- endfor %}
{%- if add_generation_prompt %}[assistant]{% endif %}"""


def tokenizer() -> Any:
    """Bytes as tokens, with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: at for at, letter in enumerate([*alphabet, "<end>", "<pad>"])}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<end>", pad_token="<pad>", chat_template=TEMPLATE
    )


def model(reader: Any, *, is_reward: bool = False) -> Any:
    """One layer of a Llama with random weights, with a head for words or for a reward."""
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, set_seed

    set_seed(7)
    config = LlamaConfig(
        vocab_size=len(reader),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=512,
        pad_token_id=reader.pad_token_id,
        eos_token_id=reader.eos_token_id,
        bos_token_id=None,
        num_labels=1,
    )
    return (LlamaForSequenceClassification if is_reward else LlamaForCausalLM)(config)

"""The network: one encoder, linear heads on [CLS] beside the mean of all tokens."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from transformers import AutoModel

from scorers.training.pretrained import encoder_folder


class Network(nn.Module):
    """Logits of shape (rows, heads) and unit-length embeddings of shape (rows, hidden)."""

    def __init__(self, heads: int, *, frozen_layers: int = 0, attention: str = "sdpa") -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(
            encoder_folder(),
            add_pooling_layer=False,
            attn_implementation=attention,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        self.head = nn.Linear(2 * self.encoder.config.hidden_size, heads)
        self._freeze(frozen_layers)

    def _freeze(self, layers: int) -> None:
        frozen = [
            self.encoder.embeddings.word_embeddings,
            self.encoder.embeddings.position_embeddings,
        ]
        if layers:
            frozen = [self.encoder.embeddings, *self.encoder.encoder.layer[:layers]]
        for module in frozen:
            module.requires_grad_(requires_grad=False)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Runs a padded batch; all inputs are int64 of shape (rows, tokens)."""
        states = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1)
        logits = self.head(torch.cat([states[:, 0], mean], dim=-1))
        return logits, nn.functional.normalize(mean, dim=-1)

    def groups(self, *, rate: float, head_rate: float, decay: float) -> Iterator[dict[str, object]]:
        """Optimiser groups: matrices with weight decay, vectors without, the heads faster."""
        body = [p for p in self.encoder.parameters() if p.requires_grad]
        yield {"params": [p for p in body if p.dim() > 1], "peak": rate, "weight_decay": decay}
        yield {"params": [p for p in body if p.dim() <= 1], "peak": rate, "weight_decay": 0.0}
        yield {"params": list(self.head.parameters()), "peak": head_rate, "weight_decay": 0.0}

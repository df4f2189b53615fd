"""The service's errors, each with its HTTP status, its wire code and its metric label.

FairleadError
├── BadRequest               400  the request cannot be read
│   ├── BodyTooLarge         413
│   ├── NothingSaid          400  feedback without a rating, text or tag
│   └── PromptVetoed         400  the prompt was vetoed by policy
├── Unauthorized             401  no key, or one that is not known
├── Forbidden                403  a key without the scope, or not for this policy
│   └── UserStopped          403  too many of the user's prompts were vetoed
├── NotFound                 404  unknown id, route or model
├── Conflict                 409  would overwrite, or the id is ambiguous
├── Overloaded               429  refused at the door
├── ClientLeft               499  nobody is there to be told
├── ReplyVetoed              403  the reply was vetoed and the policy's action is `error`
├── ScorerUnavailable        503  no score came and the policy is closed
├── StoreUnavailable         503  no record could be kept and the policy is strict
└── UpstreamError            502  the upstream failed
    ├── UpstreamRefused      502  no connection
    ├── UpstreamTimeout      504
    │   └── NoNewReply       504  no reply in the place of a vetoed one in time
    ├── UpstreamCut          502  it ended in the middle of a reply
    └── UpstreamMalformed    502  what it sent is not what the format allows
"""

from __future__ import annotations

from typing import Any


class FairleadError(Exception):
    """An error that a client is told about, in its own wire format.

    `message` says what is wrong and what to do. `param` names the field at
    fault. `extra` is merged into the error object.
    """

    status = 500
    code = "internal_error"
    type = "api_error"

    def __init__(
        self, message: str, *, param: str | None = None, extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.extra = extra or {}

    def to_dict(self) -> dict[str, Any]:
        """OpenAI's error envelope."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error | self.extra}


class BadRequest(FairleadError):
    """The request cannot be read."""

    status = 400
    code = "invalid_request"
    type = "invalid_request_error"


class BodyTooLarge(BadRequest):
    """The body is over the limit."""

    status = 413
    code = "body_too_large"


class NothingSaid(BadRequest):
    """Feedback that names a reply and says nothing of it."""

    code = "nothing_said"


class PromptVetoed(BadRequest):
    """The prompt was vetoed by policy; `at` is the place of the text that was."""

    code = "content_filter"

    def __init__(
        self,
        message: str,
        *,
        at: str = "",
        param: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, param=param, extra=extra)
        self.at = at


class Unauthorized(FairleadError):
    """No API key, or one that is not known."""

    status = 401
    code = "invalid_api_key"
    type = "authentication_error"


class Forbidden(FairleadError):
    """The API key may not do this."""

    status = 403
    code = "insufficient_scope"
    type = "permission_error"


class UserStopped(Forbidden):
    """Too many of the user's prompts were vetoed; it is over in `retry_after_s` seconds."""

    code = "user_stopped"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, param="fairlead.user")
        self.retry_after_s = retry_after_s


class NotFound(FairleadError):
    """Nothing is known by that id, route or model."""

    status = 404
    code = "not_found"
    type = "invalid_request_error"


class Conflict(FairleadError):
    """It would overwrite something, or the id stands for several things."""

    status = 409
    code = "conflict"
    type = "invalid_request_error"


class Overloaded(FairleadError):
    """Refused at the door; trying again later helps."""

    status = 429
    code = "overloaded"
    type = "rate_limit_error"


class ClientLeft(FairleadError):
    """The client closed its connection before the answer was there; nobody is told."""

    status = 499
    code = "client_gone"


class ReplyVetoed(FairleadError):
    """The reply was vetoed and the policy's action is `error`."""

    status = 403
    code = "content_filter"
    type = "policy_error"


class ScorerUnavailable(FairleadError):
    """No score came, and the policy lets nothing through unscored."""

    status = 503
    code = "scorer_unavailable"


class StoreUnavailable(FairleadError):
    """No record could be kept, and the policy lets nothing through unrecorded."""

    status = 503
    code = "store_unavailable"


class UpstreamError(FairleadError):
    """The upstream failed. `is_unsent` says that nothing of the request had gone out."""

    is_unsent = False
    status = 502
    code = "upstream_error"
    type = "upstream_error"


class UpstreamRefused(UpstreamError):
    """No connection to the upstream."""

    code = "upstream_refused"


class UpstreamTimeout(UpstreamError):
    """The upstream did not answer in time."""

    status = 504
    code = "upstream_timeout"


class NoNewReply(UpstreamTimeout):
    """A vetoed reply was asked for again, and no other came within the policy's deadline."""

    code = "no_new_reply"

    def __init__(self) -> None:
        super().__init__("no new reply came in the place of the vetoed one in time")


class UpstreamCut(UpstreamError):
    """The upstream ended in the middle of a reply."""

    code = "upstream_cut"


class UpstreamMalformed(UpstreamError):
    """What the upstream sent is not what the format allows."""

    code = "upstream_malformed"

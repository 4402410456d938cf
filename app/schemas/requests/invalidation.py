"""What an invalidation of the cache takes."""

from app.domain.audience import MAX_USER_ID
from app.schemas.requests.fields import UserId
from app.schemas.requests.windows import Parameters


class InvalidationParameters(Parameters):
    """Whose entries are meant: one user's, or all."""

    user_id = UserId(
        load_default=None,
        allow_none=False,
        metadata={"description": "Clears this user's entries alone.", "minimum": 1, "maximum": MAX_USER_ID},
    )

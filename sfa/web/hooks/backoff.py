"""When a delivery that failed is tried again, and what an answer means: pure.

Eight pauses, each up to a fifth shorter or longer so that many that failed together do not come back together; then the
delivery is dead. An endpoint that asks for more time (`Retry-After`) gets it, up to a day.
"""

PAUSES_MS = tuple(s * 1_000 for s in (5, 60, 5 * 60, 30 * 60, 2 * 3600, 6 * 3600, 12 * 3600, 24 * 3600))
ATTEMPTS_MAX = len(PAUSES_MS) + 1
JITTER = 0.2
RETRY_AFTER_MAX_S = 24 * 3600
REST_MAX_MS = 5 * 60 * 1000
OFF_AFTER_MS = 5 * 24 * 3600 * 1000  # of nothing but failures

DELIVERED, GONE, AGAIN = "delivered", "gone", "again"


def pause_ms(attempts: int, drawn: float, asked_s: float = 0.0) -> int | None:
    """How long to wait after so many attempts that failed (one or more), None where it was the last one. `drawn` is a
    number from 0 to 1, `asked_s` what the endpoint asked for."""
    if attempts >= ATTEMPTS_MAX:
        return None
    usual = PAUSES_MS[attempts - 1] * (1 - JITTER + 2 * JITTER * drawn)
    return int(max(usual, min(asked_s, RETRY_AFTER_MAX_S) * 1_000))


def rest_ms(pause: int | None, status: int | None, asked_s: float) -> int:
    """How long nothing at all is posted to an endpoint after a failure: as long as it asks for, or where nobody
    answered up to five minutes, so that one that is down does not use up the attempts of all that waits for it."""
    if asked_s:
        return int(min(asked_s, RETRY_AFTER_MAX_S) * 1_000)
    if status is not None:
        return 0
    return min(pause if pause is not None else REST_MAX_MS, REST_MAX_MS)


def verdict(status: int | None) -> str:
    """What a status means; None is no answer at all. A redirect is no delivery: nobody is followed."""
    if status is not None and 200 <= status < 300:
        return DELIVERED
    return GONE if status == 410 else AGAIN


def is_over(failing_since: int, now_ms: int) -> bool:
    """Whether an endpoint that has failed since then is switched off."""
    return now_ms - failing_since >= OFF_AFTER_MS

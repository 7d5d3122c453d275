"""Why a server's run cannot be trusted, and what a reader of its numbers should know."""

from collections import Counter
from collections.abc import Iterator, Sequence

from sweetspot.engines.endpoint.answers import Answer
from sweetspot.engines.endpoint.load import Sent

CACHED_SHARE = 0.01
"""Of prompt tokens, that may come from a cache: servers put the same token before all texts."""

BUSY_CLIENT = 0.8  # of a CPU core; at that, answers wait to be read


def doubts(sent: Sent, output_tokens: int) -> Iterator[str]:
    """Yield why a run's numbers must not be used."""
    answers = sent.answers
    failed = [answer.failure for answer in answers if answer.failure]
    if failed:
        (reason, _), *others = Counter(failed).most_common()
        more = f", and {len(others)} other reasons" if others else ""
        yield f"{len(failed)} of {len(answers)} requests failed: {reason}{more}"
    whole = [answer for answer in answers if not answer.failure]
    short = [answer for answer in whole if answer.output_tokens != output_tokens]
    if short:
        yield (
            f"{len(short)} of {len(whole)} answers are of another length than {output_tokens}"
            f" tokens, such as {short[0].output_tokens}: the server passes over ignore_eos and"
            " min_tokens, or cuts prompts"
        )
    yield from _from_cache(sent, whole)
    yield from _others(sent, whole, bool(failed))


def remarks(sent: Sent) -> Iterator[str]:
    """Yield what a reader should know."""
    if sent.before is None:
        reason = sent.unseen or "the server shows no known /metrics"
        yield f"{reason}, so requests of others could not be seen"
    if sent.cpu_share > BUSY_CLIENT:
        yield (
            f"sending and reading took {sent.cpu_share:.0%} of a CPU core, which may have made"
            " answers late"
        )


def _from_cache(sent: Sent, whole: Sequence[Answer]) -> Iterator[str]:
    cached = sum(answer.cached_tokens for answer in whole)
    before, after = sent.before, sent.after
    if before and after and after.cached_tokens is not None:
        cached = max(cached, after.cached_tokens - (before.cached_tokens or 0))
    asked = sum(answer.input_tokens for answer in whole)
    if cached > CACHED_SHARE * asked:
        yield (
            f"the server took {cached} of {asked} prompt tokens from its prefix cache; turn that"
            " off there"
        )


def _others(sent: Sent, whole: Sequence[Answer], failed: bool) -> Iterator[str]:
    """Yield what the server did for others."""
    before, after = sent.before, sent.after
    if before is None:
        return
    if before.in_flight:
        yield f"{before.in_flight} requests of others ran at the server before ours"
    if after is None:
        yield sent.unseen or "the server no longer shows its /metrics"
        return
    if after.in_flight and not failed:
        yield f"{after.in_flight} requests of others ran at the server after ours"
    if failed:  # what it did of requests that failed is not known
        return
    for what in ("input_tokens", "output_tokens"):
        did = getattr(after, what) - getattr(before, what)
        ours = sum(getattr(answer, what) for answer in whole)
        if did < 0:
            yield "the server was started anew meanwhile"
            return
        if did > ours:
            words = what.replace("_", " ")
            yield f"others used the server: it did {did} {words} while ours were {ours}"

"""What every failure owes a user: one clear sentence, the documented exit code, no traceback."""

from typing import Any


def assert_said(ran: Any, code: int, *words: str) -> None:
    """`ran` ended with `code` and one error on standard error that holds all of `words`."""
    assert "Traceback" not in ran.err, ran.err
    assert ran.code == code, (ran.code, ran.err)
    errors = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, ran.err
    sentence = ran.err[ran.err.index("error: ") :]
    assert not [word for word in words if word not in sentence], sentence
    assert "[Errno" not in sentence, "the system's words, without its numbers"

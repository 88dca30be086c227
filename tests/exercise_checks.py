"""What every lesson's checkers are asked: do they pass what is right, leave a stub open, and tell mistakes apart?"""

# What a student may hand in by accident: of another type, of another shape, broken, or no function at all.
NONSENSE = [
    *(lambda *_: 7, lambda *_: 7.5, lambda *_: 1 / 0, lambda *_: "text"),
    *(lambda *_: [[]], lambda *_: None, lambda: 0, None),
]


def passes(check, *solutions):
    """Every right answer passes with the full share."""
    for solution in solutions:
        feedback = check(solution)
        assert feedback.passed and feedback.share == 1, feedback


def leaves_the_stub_open(check):
    """An untouched stub, as a function or as the answer itself, is neither started nor passed."""
    for untouched in (lambda *_: ..., ...):
        feedback = check(untouched)
        assert not feedback.started and not feedback.passed


def never_raises(check, nonsense):
    """Whatever it is given, a checker answers; nonsense is started, and not passed."""
    feedback = check(nonsense)
    assert feedback.started and not feedback.passed and feedback.message


def judge(check, right, wrong):
    """Every right answer passes; every wrong one gets a message of its own that names the idea."""
    passes(check, *right)
    messages = {}
    for idea, answer in wrong.items():
        feedback = check(answer)
        assert feedback.started and not feedback.passed and 0 <= feedback.share < 1
        assert idea in feedback.message, feedback
        messages[feedback.message] = idea
    assert len(messages) == len(wrong)

"""What every lesson's checkers are asked: do they pass what is right, leave a stub open, and tell mistakes apart?"""


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

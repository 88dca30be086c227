"""What the other tests rely on: whatever goes wrong in a notebook or on its page is noticed."""

import nbformat
import pytest
import workshop


def test_errors_in_cells_and_in_the_console_are_noticed(open_desk, lab):
    nbformat.write(workshop.troubled(), lab.notebooks / "troubled.ipynb")
    with open_desk("troubled.ipynb") as desk:
        desk.run_all()
        problems = desk.problems()
        # The cell behind the error is left out, unless it reaches the kernel too late to be dropped with the others.
        left_out = ["cell 3 did not run"] if len(problems) > 2 else []
        assert [problem.split(":")[0] for problem in problems] == ["cell 0, stderr", "cell 2", *left_out]
        assert "ZeroDivisionError" in problems[1]
        assert len(desk.complaints) == 1 and "from a cell" in desk.complaints[0]


def test_a_notebook_that_fails_fails_its_test(run_lesson, lab):
    nbformat.write(workshop.troubled(), lab.notebooks / "troubled.ipynb")
    with pytest.raises(AssertionError, match="ZeroDivisionError"), run_lesson("troubled"):
        pass

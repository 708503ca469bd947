"""Exercises: a step with round numbers and blanks to fill in, its key, and points for answers.

A `setting` says all that an exercise is made of, and `drawing` makes the numbers from its seed;
`choosing` takes those on which mistakes are told apart. `tasks` are the values that are asked.
`sheet` and `key` are pages for paper, `printing` makes PDF of them; `template` is the file that a
learner fills in. Such files are read in `answers`, `credit` counts, `grading` names the mistakes
by what `checking` knows, and `showing` prints a class. Nothing that a learner wrote is ever run.
"""

from chainrule.explanation.exercises.exercise import Exercise as Exercise
from chainrule.explanation.exercises.exercise import exercise as exercise
from chainrule.explanation.exercises.grades import Grade as Grade
from chainrule.explanation.exercises.grades import Grades as Grades
from chainrule.explanation.exercises.grading import grade as grade

"""Set-ups that widened the doctor's practice: seen by whoever works on its rules.

They have the form of the first exam (`setups`), and were written by people who had not read the
rules; unlike the exams that are held out, what is missed or warned of here is mended.
"""

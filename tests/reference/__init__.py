"""The parts of the documentation that come from the code: ``make reference`` writes them, and a test holds them.

It stands beside the tests and in no package of the code: it reads every one of them, and no wheel needs it.
"""

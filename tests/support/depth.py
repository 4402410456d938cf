"""How many examples the tests try that make their own: a profile of Hypothesis, chosen by `--hypothesis-profile`.

`quick` is the default. `thorough` tries ten times as many, the same ones each time; `deep` tries twenty times as many
as `thorough`, and other ones each time.
"""

from hypothesis import settings

settings.register_profile("quick", max_examples=10, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=100)
settings.register_profile("deep", settings.get_profile("thorough"), max_examples=2000, derandomize=False)
settings.load_profile("quick")


def scaled(number: int) -> int:
    """How many examples the profile makes of those that a thorough run has."""
    return max(1, number * settings().max_examples // 100)


def is_quick() -> bool:
    """Whether there are few examples."""
    return settings().max_examples < 100

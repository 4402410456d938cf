"""The mutation test of the suite: `make mutants`."""

# What is mutated: files of the project.
MUTATED = [
    "app/services/*.py",
    "app/cache/*.py",
    "app/auth.py",
    "app/buckets.py",
    "app/errors.py",
    "app/timezones.py",
    "app/windows.py",
]

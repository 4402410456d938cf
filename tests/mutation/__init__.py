"""The mutation test of the suite: `make mutants`."""

# What is mutated: files of the project.
MUTATED = [
    "app/services/*.py",
    "app/listens/*.py",
    "app/listens/counted/*.py",
    "app/cache/*.py",
    "app/cache/backends/*.py",
    "app/web/auth.py",
    "app/domain/buckets.py",
    "app/web/errors.py",
    "app/domain/timezones.py",
    "app/domain/windows.py",
]

"""Find phrases that have a plainer word, in all text but JSON. The exit code is 1 where there is one."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("app", "benchmarks", "docs", "migrations", "postman", "tests", "docker", ".ci", ".github")
SUFFIXES = {".py", ".md", ".sql", ".conf", ".toml", ".yml", ".yaml", ".example", ""}
PLAINER = {
    "(hang|hangs|hanging|hung) on": "depend on",
    "be it": "even if",
    r"beside(?= \w)(?! from or to)": "next to, besides, with, at the same time as",
    "anew": "again",
    "(come|comes|came|coming) by": "say what gave it",
    "at hand": "say where it is",
    "(whoever|whomever)": "say who",
    "so many": "say how many, or name the constant",
}


def main() -> int:
    paths = [*ROOT.glob("*"), *(path for room in ROOMS for path in (ROOT / room).rglob("*"))]
    texts = {
        path.relative_to(ROOT).as_posix(): path.read_text(errors="replace")
        for path in sorted(paths)
        if path.is_file() and path.suffix in SUFFIXES and "node_modules" not in path.parts and path != Path(__file__)
    }
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {' '.join(match[0].split())}: {plainer}"
        for name, text in texts.items()
        for phrase, plainer in PLAINER.items()
        for match in re.finditer(rf"\b{phrase}\b".replace(" ", r"[\s#]+"), text, re.IGNORECASE)
    ]
    print("\n".join(found) or "The English is plain.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""Exporting: the archive becomes that of one snapshot, and what no change has touched stays as it is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from pyarrow import parquet
from sqlalchemy import Connection

from app.archive.log import Log, read_log
from app.archive.manifest import UNFINISHED, File, Manifest, Month
from app.archive.reading import (
    CATALOGUE,
    NUMBERED,
    Numbers,
    Take,
    first_listen,
    patient_snapshot,
    read_catalogue,
    read_listens,
    read_numbered,
)
from app.archive.store import Store
from app.archive.writing import write
from app.domain.timezones import naive
from app.rollups.spans import Span

Progress = Callable[[Sequence["MonthToDo"]], AbstractContextManager[Iterable["MonthToDo"]]]


class MonthToDo(NamedTuple):
    """A month whose listens are to be written, by its name (`2026-11`), as far as its days are closed."""

    name: str
    span: Span


def export(
    connection: Connection, store: Store, now: datetime, progress: Progress, *, everything: bool = False
) -> Manifest:
    """Make the archive that of the snapshot that is taken now, of the days (UTC) that are over at the instant `now`.

    On a connection in autocommit, by one operator at a time. Months that no change has touched since they were
    written, by this export or one that was broken off, stay unless `everything` is to be written. `progress` is given
    the others, and gives them back one by one. Files that the new manifest does not name are deleted. Raises
    NoLogError, OSError, SQLAlchemyError.
    """
    with patient_snapshot(connection):
        log = read_log(connection)
        known = store.manifest(UNFINISHED) or store.manifest()
        if known is None or known.epoch != log.epoch or everything:
            known = Manifest(log.epoch, log.fold, log.snapshot, now, now)
        closed = naive(now).replace(hour=0, minute=0, second=0, microsecond=0)
        numbers = {name: read_numbered(connection, name, numbers_of(store, known, name)) for name in NUMBERED}
        catalogue = {name: _write_catalogue(connection, store, name, numbers) for name in CATALOGUE}
        months = months_until(first_listen(connection), closed)
        archive = Manifest(
            epoch=log.epoch,
            fold=log.fold,
            snapshot=log.snapshot,
            taken_at=naive(now),
            closed=closed,
            numbers={name: numbered.given for name, numbered in numbers.items()},
            catalogue=catalogue,
            months={month.name: known.months[month.name] for month in months if month.name in known.months},
        )
        with progress([month for month in months if not _is_kept(archive, month, log)]) as to_do:
            for month in to_do:
                file = write_listens(connection, store, month, numbers)
                written = Month(file, *month.span, log.fold)
                archive = replace(archive, months={**archive.months, month.name: written})
                store.write_manifest(archive, UNFINISHED)
    store.write_manifest(archive)
    store.prune(archive)
    return archive


def months_until(first: datetime | None, closed: datetime) -> list[MonthToDo]:
    """The months from the first listen to an instant, the last one as far as it has come."""
    if first is None:
        return []
    found, starts = list[MonthToDo](), first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while starts < closed:
        ends = (starts + timedelta(days=31)).replace(day=1)
        found.append(MonthToDo(f"{starts:%Y-%m}", Span(starts, min(ends, closed))))
        starts = ends
    return found


def _is_kept(archive: Manifest, month: MonthToDo, log: Log) -> bool:
    """Whether what the archive has of a month is what the database says."""
    known = archive.months.get(month.name)
    return known is not None and known.ends == month.span.ends and not log.touched_since(known)


def write_listens(connection: Connection, store: Store, month: MonthToDo, numbers: Mapping[str, Numbers]) -> File:
    """Write a month's listens."""
    return write(store, f"listens/{month.name}/", lambda take: read_listens(connection, month.span, numbers, take))


def numbers_of(store: Store, archive: Manifest, name: str) -> Numbers | None:
    """The numbers that an archive's files go by; None where it has none."""
    if (file := archive.catalogue.get(name)) is None:
        return None
    table = parquet.read_table(store.path(file.name), filesystem=store.filesystem)
    return Numbers(table.combine_chunks(), archive.numbers[name])


def _write_catalogue(connection: Connection, store: Store, name: str, numbers: Mapping[str, Numbers]) -> File:
    """Write a file of the catalogue, with a number for each id of those that are numbered."""

    def fill(take: Take) -> None:
        if name in numbers:
            take(numbers[name].table)
        else:
            read_catalogue(connection, name, take)

    return write(store, f"catalogue/{name}-", fill)

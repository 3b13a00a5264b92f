"""Cells counted in memory are sums over single rows, whatever the numbering of keys and the pieces rows come in."""

import numpy as np
import pytest

from release_core.cube import cells, grouped
from tests import factory
from tests.laws import test_cells, test_extend

TABLES = tuple(table for table in cells.TABLES if table != "watch")


@pytest.fixture(scope="module")
def log():
    log, told = test_extend.live_log(9)
    log = log.head(120)
    return log, told[told["event_id"].isin(log["event_id"])]


STAGES = [{"name": "replay"}, {"name": "canary", "shares": [0.3]}]


def one_by_one(rows, count, release):
    """Return the sums by key over single rows, with nothing but a dictionary."""
    found = {}
    keys = [key for key in cells.KEYS[count.table].split(", ") if key not in grouped.DIMS]
    places = [dim for dim in grouped.DIMS[1:] if dim in cells.KEYS[count.table]]
    sums = cells.SUMS[count.table].split(", ")

    def value(name, at):
        if name in count.fixed:
            return str(count.fixed[name])
        shown = rows.columns[count.named.get(name, name)][at]
        return rows.words[shown] if name in grouped.WORDS else str(shown)

    for cuboid in count.cuboids(release):
        for at in range(rows.size):
            if all(rows.columns[name][at] for name in (*count.where, *([cuboid.only] if cuboid.only else []))):
                dims = ["yes"] if cuboid.only else [rows.words[rows.columns[name][at]] for name in cuboid.columns]
                padded = [cuboid.name, *dims, *[""] * (len(places) - len(dims))] if places else []
                key = (*padded, *(value(name, at) for name in keys))
                cell = found.setdefault(key, dict.fromkeys(sums, 0))
                for name in sums:
                    cell[name] += int(rows.columns[count.named.get(name, name)][at])
    return {key: tuple(cell.values()) for key, cell in found.items() if any(cell.values())}


def counted(rows, count, release):
    """Return the same from the cells."""
    columns = grouped._counted(release, rows, count)
    keys = cells.KEYS[count.table].split(", ")
    texts = [
        [rows.words[code] for code in columns[key]] if key in grouped.WORDS else map(str, columns[key]) for key in keys
    ]
    sums = zip(*(columns[name].tolist() for name in cells.SUMS[count.table].split(", ")), strict=True)
    found = list(zip(zip(*texts, strict=True), sums, strict=True))
    assert len({key for key, _ in found}) == len(found)
    return dict(found)


@pytest.mark.parametrize(("small", "signed"), [(2**16, False), (3, False), (2**16, True)])
def test_cells_are_sums_over_single_rows(log, tmp_path, monkeypatch, small, signed):
    seen = []
    write = grouped._write
    monkeypatch.setattr(grouped, "_write", lambda release, folder, rows, place: (
        seen.append((release, rows, place[0])), write(release, folder, rows, place)))  # fmt: skip
    factory.opened(factory.write(tmp_path / "r", *log, stage=STAGES), tmp_path / "cache")
    assert {source for _, _, source in seen} == {"facts", "kinds", "effects"}
    monkeypatch.setattr(grouped, "SMALL", small)
    for release, rows, source in seen:
        if signed:
            sign = np.where(np.arange(rows.size) % 3 == 0, -1, 1)
            columns = {
                name: column * sign if column.dtype == np.int64 and name not in {"worlds", "row"} else column
                for name, column in rows.columns.items()
            }
            rows = grouped.Rows(columns, rows.words)  # noqa: PLW2901
        for count in cells.counts(release):
            if count.source == source and any(count.cuboids(release)):
                assert counted(rows, count, release) == one_by_one(rows, count, release), count


def test_pieces_of_rows_give_the_same_cells(log, tmp_path, monkeypatch):
    folder = factory.write(tmp_path / "r", *log, stage=STAGES)
    monkeypatch.setattr(test_cells, "TABLES", TABLES)
    whole = test_cells.added(factory.opened(folder, tmp_path / "whole"))
    monkeypatch.setattr(grouped, "AT_ONCE", 37)
    pieces = test_cells.added(factory.opened(folder, tmp_path / "pieces"))
    assert len(list((tmp_path / "pieces").glob("cells-*/score*.parquet"))) > 2
    assert pieces == whole


@pytest.mark.parametrize("amounts", [[2**62, 2**61], [2**61] * 2])
def test_sums_that_might_not_fit_are_refused(amounts):
    rows = grouped.Rows({"n": np.array([1, 1]), "amount": np.array(amounts)}, [])
    with pytest.raises(grouped.SourceError, match="64 bits"):
        rows.measure("amount")

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from release_core import store as store_module
from release_core.errors import LimitReached, SourceError
from release_core.store import Store, default_memory, quote


@pytest.fixture
def store():
    with Store(threads=2) as opened:
        yield opened


def test_query_gives_missing_values_as_nan_nat_and_none(store):
    columns = store.query(
        "select * from (values (1::bigint, 0.5::double, 'x', timestamp '2026-01-01', true), (null, null, null, null, null)) "
        "as t(n, x, s, t, b)"
    )
    np.testing.assert_array_equal(columns["n"], [1.0, np.nan])
    np.testing.assert_array_equal(columns["x"], [0.5, np.nan])
    assert columns["s"].tolist() == ["x", None]
    assert np.isnat(columns["t"][1])
    assert columns["t"][0] == np.datetime64("2026-01-01")
    assert columns["b"].tolist() == [True, None]


def test_query_keeps_whole_numbers_without_missing_values(store):
    big = 2**62 + 1
    column = store.query("select $big::bigint as big", {"big": big})["big"]
    assert column.dtype == np.int64
    assert column[0] == big


def test_query_refuses_types_that_python_cannot_take_exactly(store):
    with pytest.raises(TypeError, match="'total' is HUGEINT: cast it"):
        store.query("select sum(x) as total from range(3) t(x)")
    with pytest.raises(TypeError, match="AT TIME ZONE 'UTC'"):
        store.rows("select now() as t")


def test_rows_takes_whole_numbers_of_any_size(store):
    assert store.rows("select 2::hugeint ** 0 * 10::hugeint as n, 170141183460469231731687303715884105727 as m") == [
        {"n": 10.0, "m": 2**127 - 1}
    ]


def test_execute_binds_parameters_instead_of_writing_them_into_the_text(store):
    hostile = "x'; drop table t; --"
    assert store.rows("select $value as v", {"value": hostile}) == [{"v": hostile}]


def test_query_raises_on_a_missing_and_on_a_surplus_parameter(store):
    with pytest.raises(SourceError):
        store.query("select $a as a", {})
    with pytest.raises(SourceError, match="excess parameters: b"):
        store.query("select $a as a", {"a": 1, "b": 2})


def test_run_reads_the_statement_of_that_name(store, tmp_path, monkeypatch):
    (tmp_path / "double_it.sql").write_text("-- one row\nselect $n * 2 as twice", encoding="utf-8")
    monkeypatch.setattr(store_module, "SQL_FOLDER", tmp_path)
    assert store.run("double_it", n=21)["twice"].tolist() == [42]


def test_errors_name_the_statement_and_the_reason(store):
    with pytest.raises(SourceError, match=r"query `select \* from read_parquet.*No files found") as caught:
        store.query("select * from read_parquet('nowhere.parquet')")
    assert "Traceback" not in str(caught.value)


def test_every_cursor_thinks_in_utc(store):
    told = store.rows("select ('2026-01-01 10:00:00+02'::timestamptz at time zone 'UTC')::varchar as t")
    assert told == [{"t": "2026-01-01 08:00:00"}]
    with store.cursor() as cursor:
        assert cursor.rows("select current_setting('TimeZone') as zone") == [{"zone": "UTC"}]


def test_temporary_tables_belong_to_one_cursor(store):
    with store.cursor() as one, store.cursor() as other:
        one.execute("create temp table t as select 1 as a")
        assert one.rows("select * from t") == [{"a": 1}]
        with pytest.raises(SourceError, match="does not exist"):
            other.rows("select * from t")


def test_threads_that_share_a_store_get_their_own_answers(store):
    barrier = threading.Barrier(8)

    def ask(thread):
        barrier.wait()
        numbers = [thread * 1000 + number for number in range(20)]
        return [
            (n, store.query("select $n::bigint as n, count(*) as c from range(20000) where range >= 0", {"n": n}))
            for n in numbers
        ]

    with ThreadPoolExecutor(8) as pool:
        answers = [pair for pairs in pool.map(ask, range(8)) for pair in pairs]
    assert len(answers) == 160
    assert all(answer["n"].tolist() == [n] and answer["c"].tolist() == [20000] for n, answer in answers)


def test_time_limit_stops_a_runaway_query_and_leaves_the_cursor_usable(store):
    with store.cursor(time_limit=0.2) as cursor:
        with pytest.raises(LimitReached, match=r"longer than 0\.2 seconds"):
            cursor.query("select count(*) as n from range(10000000000) a, range(1000) b")
        assert cursor.query("select 1 as one")["one"].tolist() == [1]


def test_memory_limit_is_told_apart_from_bad_data():
    with Store(memory="20MB", threads=1) as small:
        small.execute("set global max_temp_directory_size = '1MB'")
        with pytest.raises(LimitReached, match="RELEASE_REVIEW_MEMORY"):
            small.query("select string_agg(range::varchar || repeat('x', 100), '') as t from range(3000000)")


def test_memory_setting_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("RELEASE_REVIEW_MEMORY", "512MB")
    assert default_memory() == "512MB"
    with Store() as store:
        assert store.rows("select current_setting('memory_limit') as m") == [{"m": "488.2 MiB"}]
    monkeypatch.delenv("RELEASE_REVIEW_MEMORY")
    assert 0 < int(default_memory().removesuffix("MB")) <= 2400


def test_memory_setting_that_is_no_size_is_explained():
    with pytest.raises(SourceError, match="RELEASE_REVIEW_MEMORY: found plenty; required: a size such as 2GB"):
        Store(memory="plenty")


def test_trace_sees_every_statement():
    seen = []
    with Store(trace=seen.append) as store:
        store.query("select 1 as a")
        with store.cursor() as cursor:
            cursor.execute("create temp table t as select 2 as b")
    assert seen == ["select 1 as a", "create temp table t as select 2 as b"]


def test_close_removes_what_was_spilled(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = Store()
    assert len(list(tmp_path.iterdir())) == 1
    store.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["plain", "with space", 'say "hi"', "it's", "select", "ümlaut", "a;b--c", "$1"])
def test_quote_makes_any_name_safe(store, name):
    assert list(store.query(f"select 1 as {quote(name)}")) == [name]


def test_shared_stores_keep_their_tables_apart_and_leave_nothing_behind():
    def tables(store):
        sql = "select table_schema || '.' || table_name as name from information_schema.tables where table_name like 'apart%'"
        return {row["name"] for row in store.rows(sql)}

    one, other = Store(shared=True), Store(shared=True)
    for store, value in ((one, 1), (other, 2)):
        store.execute("create type word as enum ('a', 'b')")
        store.execute(f"create table apart as select {value} as x, 'b'::word as w")
    assert [s.query("select x, enum_code(w) as w from apart")["x"].tolist() for s in (one, other)] == [[1], [2]]
    assert len(tables(one)) == 2
    other.close()
    other.close()
    assert len(tables(one)) == 1
    lost = Store(shared=True)
    lost.execute("create table apart_too as select 1 as x")
    del lost
    gc.collect()
    with Store(shared=True):  # drops what nobody holds
        assert len(tables(one)) == 1
    one.close()

import gzip
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from release_core import contract

HEADER = "event_id,event_time,stage,baseline_score,market\n"


def line(number, market="DE"):
    return f"e{number},2026-03-01T10:00:00Z,replay,0.5,{market}\n"


@pytest.fixture
def check_bytes(check, release, tmp_path):
    def checked(content, name="day.csv"):
        path = tmp_path / "decisions" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        result = check(release)
        path.unlink()
        return result

    return checked


def faults(bad):
    return [(row["row"], row["value"], row["rule"]) for row in bad]


def test_ragged_lines_cost_their_own_row(check_bytes):
    content = HEADER + line(1) + "e2,2026-03-01\n" + line(3) + "e4,2026-03-01T10:00:00Z,replay,0.5,DE,extra\n" + line(5)
    report, good, bad = check_bytes(content)
    assert [(row["row"], row["event_id"]) for row in good] == [(1, "e1"), (3, "e3"), (5, "e5")]
    assert faults(bad) == [
        (2, "e2,2026-03-01", "2 fields instead of 5"),
        (4, "e4,2026-03-01T10:00:00Z,replay,0.5,DE,extra", "6 fields instead of 5"),
    ]
    assert report.rejected is None


def test_row_numbers_count_rows_and_not_lines(check_bytes):
    content = (
        HEADER + line(1, '"two\nlines"') + "\n" + line(2, '"say ""hi"", you"') + "x\n" + line(4).replace("0.5", "7")
    )
    _, good, bad = check_bytes(content)
    assert [(row["row"], row["market"]) for row in good] == [(1, "two\nlines"), (2, 'say "hi", you')]
    assert faults(bad) == [(3, "x", "1 fields instead of 5"), (4, "7", "score outside 0 to 1")]


def test_quote_that_is_never_closed_costs_one_row(check_bytes):
    content = HEADER + line(1) + line(2, '"DE') + "".join(line(number) for number in range(3, 400))
    report, good, bad = check_bytes(content)
    assert (report.read, report.accepted) == (399, 398)
    assert faults(bad) == [(2, 'e2,2026-03-01T10:00:00Z,replay,0.5,"DE', "quotes that do not match")]
    assert good[-1]["row"] == 399


def test_text_after_a_closing_quote_costs_one_row(check_bytes):
    _, good, bad = check_bytes(HEADER + line(1) + line(2, '"D"E') + line(3))
    assert [row["event_id"] for row in good] == ["e1", "e3"]
    assert [row["rule"] for row in bad] == ["quotes that do not match"]


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends_of_every_kind_are_read(check_bytes, newline):
    report, good, _ = check_bytes((HEADER + line(1) + line(2)).replace("\n", newline))
    assert [row["market"] for row in good] == ["DE", "DE"]
    assert report.read == 2


def test_mixed_line_ends_are_read(check_bytes):
    _, good, bad = check_bytes(HEADER.replace("\n", "\r\n") + line(1) + line(2).replace("\n", "\r\n") + line(3))
    assert [row["event_id"] for row in good] == ["e1", "e2", "e3"]
    assert bad == []


def test_last_line_without_an_end_is_read(check_bytes):
    _, good, _ = check_bytes((HEADER + line(1) + line(2)).rstrip("\n"))
    assert len(good) == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_read_from_the_header(check_bytes, delimiter):
    _, good, _ = check_bytes((HEADER + line(1)).replace(",", delimiter))
    assert (good[0]["event_id"], good[0]["market"]) == ("e1", "DE")


def test_byte_order_mark_is_no_part_of_the_first_name(check_bytes):
    report, good, _ = check_bytes(b"\xef\xbb\xbf" + (HEADER + line(1)).encode())
    assert good[0]["event_id"] == "e1"
    assert report.mapped == {}


def test_row_that_is_not_utf8_is_quarantined(check_bytes):
    _, good, bad = check_bytes(
        (HEADER + line(1)).encode() + line(2, "K\xf6ln").encode("latin-1") + line(3, "Köln").encode()
    )
    assert [row["market"] for row in good] == ["DE", "Köln"]
    assert faults(bad) == [(2, "e2,2026-03-01T10:00:00Z,replay,0.5,K\ufffdln", "not UTF-8")]


def test_null_characters_do_no_harm(check_bytes):
    _, good, bad = check_bytes(HEADER + line(1, "D\0E") + "x\n" + line(3, "D\0E"))
    assert [row["market"] for row in good] == ["D\0E", "D\0E"]
    assert [row["row"] for row in bad] == [2]


@pytest.mark.parametrize("content", ["", "\n", " \n", '"event_id\n'])
def test_csv_without_a_header_is_set_aside(check_bytes, content):
    report, good, bad = check_bytes(content)
    assert (report.read, good, bad) == (0, [], [])
    assert report.rejected.found == "no header in the first line"
    assert report.rejected.where == "decisions/day.csv"


def test_csv_with_a_name_twice_is_set_aside(check_bytes):
    report, _, _ = check_bytes("event_id,event_id,stage\na,b,replay\n")
    assert report.rejected.found == "the column event_id more than once"


def test_csv_whose_first_row_is_data_is_set_aside(check_bytes):
    report, _, _ = check_bytes(line(1) + line(2))
    assert report.rejected.found.startswith("no column event_id or event_time or stage; the columns are e1")


@pytest.mark.parametrize("name", ["day.csv", "day.csv.gz"])
def test_csv_with_a_header_only_is_an_empty_log(check_bytes, name):
    report, good, bad = check_bytes(gzip.compress(HEADER.encode()) if name.endswith("gz") else HEADER, name)
    assert (report.rejected, report.read, good, bad) == (None, 0, [], [])


@pytest.mark.parametrize("name", ["day.jsonl", "day.json", "day.ndjson"])
def test_json_without_a_line_is_an_empty_log(check_bytes, name):
    report, good, _ = check_bytes(b"", name)
    assert (report.rejected, report.read, good) == (None, 0, [])


JSON = '{"event_id": "e%d", "event_time": "2026-03-01T10:00:00Z", "stage": "replay", "baseline_score": %s}\n'


def test_bad_json_lines_cost_their_own_row(check_bytes):
    content = (
        JSON % (1, "0.5") + "{bad\n" + "[1]\n" + "\n" + JSON % (4, "NaN") + JSON % (5, "0.5") + '{"event_id": "e6"'
    )
    report, good, bad = check_bytes(content, "day.jsonl")
    assert [(row["row"], row["event_id"]) for row in good] == [(1, "e1"), (6, "e5")]  # the number of the line
    assert faults(bad) == [
        (2, "{bad", "not valid JSON"),
        (3, "[1]", "not a JSON object"),
        (5, "NaN", "score NaN or infinite"),
        (7, '{"event_id": "e6"', "not valid JSON"),
    ]
    assert (report.read, report.accepted) == (6, 2)


def test_json_line_that_is_not_utf8_is_quarantined(check_bytes):
    content = (JSON % (1, "0.5")).encode() + b'{"event_id": "\xff"}\r\n' + (JSON % (3, "0.5")).encode()
    _, good, bad = check_bytes(content, "day.jsonl")
    assert [row["row"] for row in good] == [1, 3]
    assert faults(bad) == [(2, '{"event_id": "\ufffd"}', "not UTF-8")]


def test_json_line_beyond_all_reason_is_quarantined(check_bytes):
    long = '{"event_id": "' + "x" * 3_000_000 + '"}\n'
    _, good, bad = check_bytes(JSON % (1, "0.5") + long + JSON % (3, "0.5"), "day.jsonl")
    assert [row["row"] for row in good] == [1, 3]
    assert [(row["row"], row["rule"], len(row["value"])) for row in bad] == [(2, "line too long", 120)]


def test_json_lines_may_have_different_members(check_bytes):
    more = JSON.replace("}", ', "market": "FR", "zebra": 1}')
    report, good, _ = check_bytes(JSON % (1, "0.5") + more % (2, "0.5"), "day.jsonl")
    assert [row["market"] for row in good] == ["(missing)", "FR"]
    assert report.ignored == ["zebra"]


def test_file_of_nothing_but_broken_json_is_set_aside(check_bytes):
    report, good, bad = check_bytes("a\nb\n", "day.jsonl")
    assert good == []
    assert len(bad) == 2
    assert report.rejected.found == "line not valid JSON in every row, such as 'a'"


@pytest.fixture
def parquet(tmp_path, rows_of, write_rows):
    """Return the bytes of a sound Parquet file of 2,000 decisions."""
    rows = [rows_of(number, baseline_score=number / 2000) for number in range(2000)]
    path = write_rows(tmp_path / "sound.parquet", rows)
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_parquet_is_set_aside_whole(check_bytes, parquet, share):
    report, good, bad = check_bytes(parquet[: int(len(parquet) * share)], "day.parquet")
    assert (report.read, good, bad) == (0, [], [])
    assert report.rejected.where == "decisions/day.parquet"
    assert "/decisions/day.parquet" not in report.rejected.found.replace("decisions/day.parquet", "", 1)
    assert "All other files are used." in report.rejected.remedy


@pytest.mark.parametrize(
    "content", [b"PAR1", b"PAR1PAR1", b"not parquet at all", b"\x00" * 100, b"PAR1" + b"\xff" * 64 + b"PAR1"]
)
def test_what_only_looks_like_parquet_is_set_aside(check_bytes, content):
    report, good, _ = check_bytes(content, "day.parquet")
    assert (report.read, good) == (0, [])
    assert report.rejected is not None


def test_reason_of_an_unreadable_file_names_no_folder_of_this_machine(check_bytes, tmp_path):
    for name in ("day.parquet", "d[a]y*.parquet"):
        report, _, _ = check_bytes(b"\x0e" * 100, name)
        assert report.rejected.found.startswith("a file that cannot be read (")
        assert str(tmp_path) not in str(report.rejected)
        assert str(report.rejected).isprintable()


def test_truncated_gzip_is_set_aside_whole(check_bytes):
    content = gzip.compress((HEADER + "".join(line(number) for number in range(5000))).encode())
    report, good, bad = check_bytes(content[: len(content) // 2], "day.csv.gz")
    assert (report.read, good, bad) == (0, [], [])
    assert report.rejected.where == "decisions/day.csv.gz"


def test_truncated_file_in_a_folder_leaves_the_others_readable(cursor, release, tmp_path, parquet):
    folder = tmp_path / "decisions"
    folder.mkdir()
    (folder / "a.parquet").write_bytes(parquet)
    (folder / "b.parquet").write_bytes(parquet[:-500])
    (folder / "c.parquet").write_bytes(parquet)
    (folder / "d.parquet.tmp").write_bytes(parquet[:100])
    reports = [contract.read(cursor, release, file) for file in contract.files(release, "decisions")]
    assert [report.accepted for report in reports] == [2000, 0, 2000]
    assert [report.rejected is None for report in reports] == [True, False, True]


def test_flipped_bytes_in_a_page_are_caught_by_the_range_of_scores(check, release, tmp_path, rows_of, write_rows):
    path = tmp_path / "decisions/day.parquet"
    rows = [rows_of(number, candidate_score=0.1 + number * 1e-7) for number in range(1000)]
    write_rows(path, rows)
    table = pq.read_table(path)
    pq.write_table(table, path, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    at = (
        content.find(pa.scalar(0.1 + 500 * 1e-7).as_buffer().to_pybytes())
        if hasattr(pa.scalar(0.1), "as_buffer")
        else -1
    )
    if at < 0:
        import struct

        at = content.find(struct.pack("<d", 0.1 + 500 * 1e-7))
    assert at > 0
    content[at + 6 : at + 8] = b"\xe7\x7f"
    path.write_bytes(content)
    report, good, bad = check(release)
    assert (report.read, report.accepted) == (1000, 999)
    assert [(row["row"], row["rule"]) for row in bad] == [(501, "score outside 0 to 1")]
    assert all(0 <= row["candidate_score"] <= 1 for row in good)


@pytest.mark.parametrize("seed", range(12))
def test_randomly_flipped_bytes_never_raise_and_never_pass_the_rules(check_bytes, parquet, seed):
    dice = random.Random(seed)  # noqa: S311
    content = bytearray(parquet)
    for _ in range(dice.choice([1, 20, 200])):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    report, good, _ = check_bytes(bytes(content), "day.parquet")
    assert report.accepted == len(good)
    assert all(row["baseline_score"] is None or 0 <= row["baseline_score"] <= 1 for row in good)
    assert all(row["stage"] in {"replay", "shadow"} or row["arm"] for row in good)


def test_file_that_has_gone_is_set_aside(cursor, release, tmp_path, rows_of, write_rows):
    for name in ("a.csv", "b.parquet", "c.jsonl"):
        write_rows(tmp_path / "decisions" / name, [rows_of(1)])
    for file in contract.files(release, "decisions"):
        file.path.unlink()
        report = contract.read(cursor, release, file)
        assert report.rejected.where == file.relative
        assert cursor.rows("select * from good") == []


def test_schema_change_between_files_leaves_the_columns_alike(cursor, release, tmp_path, rows_of, write_rows):
    first, second = rows_of(1, velocity=2, tier=1, pay_status=1), rows_of(2, velocity="2.5", pay_status="x", extra=1)
    del second["tier"], second["entity_id"]
    third = rows_of(3) | {"Market": "FR"}
    del third["market"]
    for name, row in (("a", first), ("b", second), ("c", third)):
        write_rows(tmp_path / f"decisions/{name}.parquet", [row])
    seen = []
    for file in contract.files(release, "decisions"):
        report = contract.read(cursor, release, file)
        seen.append((cursor.rows("describe good"), cursor.rows("select * from good")[0], report))
    assert seen[0][0] == seen[1][0] == seen[2][0]
    assert [row["tier"] for _, row, _ in seen] == ["1", "(missing)", "low"]
    assert [row["velocity"] for _, row, _ in seen] == [2.0, 2.5, None]
    assert seen[1][2].ignored == ["extra"]
    assert seen[2][2].mapped == {"market": "Market"}
    assert seen[2][1]["market"] == "FR"


def test_rejected_file_gives_the_same_columns_as_a_sound_one(cursor, release, tmp_path, rows_of, write_rows):
    write_rows(tmp_path / "decisions/a.csv", [rows_of(1)])
    (tmp_path / "decisions/b.parquet").write_bytes(b"")
    described = []
    for file in contract.files(release, "decisions"):
        contract.read(cursor, release, file)
        described.append(
            [cursor.rows(f"select column_name, column_type from (describe {name})") for name in ("good", "bad")]
        )
    assert described[0] == described[1]


@pytest.mark.parametrize("kind", [pa.binary(), pa.list_(pa.float64()), pa.struct([("a", pa.float64())])])
def test_parquet_column_of_a_type_that_cannot_serve_is_named(check, release, tmp_path, rows_of, kind):
    value = {pa.binary(): b"x", pa.list_(pa.float64()): [1.0]}.get(kind, {"a": 1.0})
    columns = {name: [v] for name, v in rows_of(1).items()} | {"candidate_score": pa.array([value], kind)}
    (tmp_path / "decisions").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "decisions/x.parquet")
    report, good, _ = check(release)
    assert good == []
    assert report.rejected.found.startswith("candidate_score of type ")
    assert report.rejected.required == "a number for candidate_score"


@pytest.mark.parametrize("name", ["a[1].csv", "wild*.csv", "what?.csv", "it's.csv", "a b;c.csv", "$x.csv", "Ü.csv"])
def test_file_names_are_plain_text(cursor, release, tmp_path, rows_of, write_rows, name):
    write_rows(tmp_path / "decisions" / name, [rows_of(1)])
    write_rows(tmp_path / "decisions/a1.csv", [rows_of(2), rows_of(3)])
    write_rows(tmp_path / "decisions/wild-card.csv", [rows_of(4), rows_of(5)])
    file = next(file for file in contract.files(release, "decisions") if file.path.name == name)
    assert contract.read(cursor, release, file).read == 1


def test_tables_may_have_any_name(cursor, release, tmp_path, rows_of, write_rows):
    write_rows(tmp_path / "decisions/a.csv", [rows_of(1), rows_of(1)])
    (file,) = contract.files(release, "decisions")
    contract.read(cursor, release, file, good='good "1"', bad="it's bad")
    assert len(cursor.rows('select * from "good ""1"""')) == 1
    assert len(cursor.rows('select * from "it\'s bad"')) == 1

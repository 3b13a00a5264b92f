"""Notices: off by default, once each, tried again, and silent about secrets."""

import json
import logging
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from release_core import notify
from release_core.notify import Notice

NOTICE = Notice(
    "fraud-model", "canary", "queue", "all events", "2026-03-01T10:00:00Z", "rollback", "The queue overruns."
)
PRIVATE = "hooks/T00-very-secret-token"


@pytest.fixture
def server():
    """Give a local server that answers with the statuses that it is told, and keeps what was posted."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.posted.append((self.path, self.headers["Idempotency-Key"], json.loads(body)))
            self.send_response(told.statuses.pop(0) if told.statuses else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    told = HTTPServer(("127.0.0.1", 0), Handler)
    told.posted, told.statuses = [], []
    thread = threading.Thread(target=told.serve_forever, daemon=True)
    thread.start()
    yield told
    told.shutdown()
    told.server_close()


@pytest.fixture
def webhook(server, monkeypatch):
    monkeypatch.setenv(notify.WEBHOOK_VARIABLE, f"http://127.0.0.1:{server.server_port}/{PRIVATE}")
    return server


def test_off_by_default(tmp_path, monkeypatch):
    monkeypatch.delenv(notify.WEBHOOK_VARIABLE, raising=False)
    monkeypatch.delenv(notify.FILE_VARIABLE, raising=False)
    assert notify.tell([NOTICE], tmp_path / "outbox.json") == 0
    assert not (tmp_path / "outbox.json").exists()


def test_each_notice_goes_once_to_every_target(tmp_path, webhook, monkeypatch):
    monkeypatch.setenv(notify.FILE_VARIABLE, str(tmp_path / "notices.jsonl"))
    outbox = tmp_path / "outbox.json"
    assert notify.tell([NOTICE], outbox) == 2
    assert notify.tell([NOTICE, replace(NOTICE, segment="market BR")], outbox) == 2
    assert notify.tell([NOTICE], outbox) == 0
    lines = [json.loads(line) for line in (tmp_path / "notices.jsonl").read_text().splitlines()]
    assert [line["segment"] for line in lines] == ["all events", "market BR"]
    assert [body["segment"] for _, _, body in webhook.posted] == ["all events", "market BR"]
    assert webhook.posted[0][2]["text"] == "The queue overruns."
    assert webhook.posted[0][1] == NOTICE.key


def test_a_failed_delivery_is_tried_again_at_growing_distances(tmp_path, webhook):
    webhook.statuses = [500, 503]
    outbox = tmp_path / "outbox.json"
    assert notify.tell([NOTICE], outbox, lambda: 100.0) == 0
    assert notify.pending(outbox) == 1
    assert notify.tell([], outbox, lambda: 104.0) == 0
    assert len(webhook.posted) == 1
    assert notify.tell([], outbox, lambda: 105.0) == 0
    assert notify.tell([], outbox, lambda: 114.0) == 0
    assert len(webhook.posted) == 2
    assert notify.tell([], outbox, lambda: 115.0) == 1
    assert notify.pending(outbox) == 0


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "ftp://example.org/", "nonsense "])
def test_what_fails_is_logged_without_the_secret(tmp_path, monkeypatch, caplog, address):
    monkeypatch.setenv(notify.WEBHOOK_VARIABLE, address + PRIVATE)
    with caplog.at_level(logging.DEBUG):
        assert notify.tell([NOTICE], tmp_path / "outbox.json") == 0
    assert "failed" in caplog.text
    assert "secret" not in caplog.text
    assert "secret" not in (tmp_path / "outbox.json").read_text()


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path, monkeypatch):
    place = tmp_path / "later" / "notices.jsonl"
    monkeypatch.setenv(notify.FILE_VARIABLE, str(place))
    assert notify.tell([NOTICE], tmp_path / "outbox.json", lambda: 0.0) == 0
    place.parent.mkdir()
    assert notify.tell([], tmp_path / "outbox.json", lambda: 9.0) == 1


def test_a_damaged_outbox_is_begun_anew(tmp_path, webhook):
    outbox = tmp_path / "outbox.json"
    outbox.write_text("{half")
    assert notify.tell([NOTICE], outbox) == 1
    assert outbox.with_suffix(".damaged").read_text() == "{half"


def test_many_at_once_deliver_each_notice_once(tmp_path, webhook):
    outbox = tmp_path / "outbox.json"
    notices = [replace(NOTICE, rule=f"rule-{n}") for n in range(5)]
    threads = [threading.Thread(target=notify.tell, args=(notices, outbox)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(body["rule"] for _, _, body in webhook.posted) == [f"rule-{n}" for n in range(5)]

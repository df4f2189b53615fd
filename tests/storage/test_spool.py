from __future__ import annotations

from pathlib import Path

import pytest

from storage.errors import RecordRejected, SpoolFull, StoreUnavailable
from storage.records import InteractionRecord
from storage.spool import Spool, from_line, to_line
from tests.storage.building import exchange, score

FULL = exchange("One.", scores=(score(),), response_ids=("r-1",), tags=("beta",))


def _open(folder: Path, limit_bytes: int = 1 << 20) -> Spool:
    spool = Spool(folder / "spool", limit_bytes=limit_bytes)
    spool.open()
    return spool


def _drain(spool: Spool, lines: int = 2) -> list[str]:
    found = []
    while spool.waiting_bytes:
        read = spool.peek(lines)
        found += [from_line(line).id for line in read]
        spool.consume(read)
    return found


@pytest.mark.parametrize(
    "record", [FULL, exchange(user="half \ud800", request={"big": 1 << 80})], ids=["full", "odd"]
)
def test_record_comes_back_from_its_line(record: InteractionRecord) -> None:
    """A line of the spool holds the whole exchange."""
    line = to_line(record)

    assert line.count(b"\n") == 1
    assert record == from_line(line)


def test_line_of_a_newer_version_is_read() -> None:
    """Fields that this version does not know are passed over."""
    line = (
        to_line(FULL)
        .replace(b'"route":', b'"later":1,"route":')
        .replace(b'"side":', b'"later":1,"side":')
    )

    assert from_line(line) == FULL


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"{}", b'{"interaction":{}}', b"\xff\n"])
def test_garbage_is_rejected(line: bytes) -> None:
    """A line that holds no exchange is refused."""
    with pytest.raises(RecordRejected):
        from_line(line)


def test_records_come_out_in_order(tmp_path: Path) -> None:
    """What is appended comes out once, in order, also while more is added."""
    spool = _open(tmp_path)
    records = [exchange() for _ in range(6)]
    spool.append(records[:5], is_durable=True)

    first = spool.peek(3)
    spool.consume(first)
    spool.append(records[5:], is_durable=False)
    rest = _drain(spool)
    spool.close()

    assert [record.id for record in records] == [from_line(line).id for line in first] + rest


def test_unconsumed_records_stay(tmp_path: Path) -> None:
    """Reading alone forgets nothing."""
    spool = _open(tmp_path)
    spool.append([FULL], is_durable=True)

    assert spool.peek(5) == spool.peek(5) == [to_line(FULL)]
    spool.close()


def test_next_process_takes_over(tmp_path: Path) -> None:
    """Files left behind are read first, oldest first, and removed once empty."""
    records = [exchange() for _ in range(3)]
    earlier = [_open(tmp_path) for _ in range(2)]
    for left, record in zip(earlier, records, strict=False):
        left.append([record], is_durable=True)
    for left in earlier:
        left.close()

    spool = _open(tmp_path)
    spool.append(records[2:], is_durable=True)
    found = _drain(spool)
    spool.close()

    assert [record.id for record in records] == found
    assert list((tmp_path / "spool").iterdir()) == []


def test_file_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    """Two processes that spool side by side do not read each other's records."""
    one, other = _open(tmp_path), _open(tmp_path)
    one.append([FULL], is_durable=True)

    late = _open(tmp_path)

    assert (other.waiting_bytes, late.waiting_bytes) == (0, 0)
    assert late.peek(1) == []
    for spool in (one, other, late):
        spool.close()


def test_torn_last_line_is_forgotten(tmp_path: Path) -> None:
    """A line that a crash cut short was never acknowledged and is passed over."""
    spool = _open(tmp_path)
    spool.append([FULL], is_durable=True)
    spool.close()
    (path,) = (tmp_path / "spool").iterdir()
    with path.open("ab") as file:
        file.write(to_line(exchange())[:-20])

    again = _open(tmp_path)
    found = _drain(again, lines=5)
    again.close()

    assert [FULL.id] == found
    assert not path.exists()


def test_full_spool_refuses(tmp_path: Path) -> None:
    """Past its limit the spool refuses and keeps what it has."""
    spool = _open(tmp_path, limit_bytes=len(to_line(FULL)))
    spool.append([FULL], is_durable=True)

    with pytest.raises(SpoolFull, match="limit"):
        spool.append([FULL], is_durable=True)

    assert [FULL.id] == _drain(spool)
    spool.close()


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    """A spool that cannot be written says so, at the start or later."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="folder"):
        Spool(tmp_path / "file" / "spool", limit_bytes=1).open()

    with pytest.raises(SpoolFull, match="written"):
        Spool(tmp_path / "gone", limit_bytes=1 << 20).append([FULL], is_durable=True)


def test_rejected_line_is_put_aside(tmp_path: Path) -> None:
    """A line the store never takes is kept for a person to read."""
    spool = _open(tmp_path)

    spool.reject(b"bad\n")
    spool.close()

    assert (tmp_path / "spool" / "rejected.txt").read_bytes() == b"bad\n"

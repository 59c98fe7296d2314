"""The rig's own judgement: a wrong trace must be refused."""

import pytest

from twinpost_rig.sync_order import check, doctored

GOOD = """\
7 sendto(9<TCP:[127.0.0.1:25->127.0.0.1:5000]>, "354 go\\r\\n", 8, 0, NULL, 0) = 8
7 pwritev(4</d/journal/1>, [{iov_base="mark-a-head ...", iov_len=9}], 1, 0 <unfinished ...>
8 pwrite64(5</d/body>, "... mark-a-tail", 9, 0) = 9
7 <... pwritev resumed>) = 9
7 fdatasync(4</d/journal/1>) = 0
7 fdatasync(5</d/body> <unfinished ...>
7 <... fdatasync resumed>) = 0
7 sendto(9<TCP:[127.0.0.1:25->127.0.0.1:5000]>, "250 2.0.0 ok\\r\\n", 14, 0, NULL, 0) = 14
""".splitlines()
EXPECTED = {5000: ["mark-a"]}


def offences(lines):
    return check(lines, EXPECTED).offences


def test_a_right_order_is_accepted():
    order = check(GOOD, EXPECTED)
    assert order.answered == 1 and order.offences == []


@pytest.mark.parametrize("lost", [1, 2, 4, 5, 6])
def test_a_missing_write_or_sync_is_refused(lost):
    assert offences(GOOD[:lost] + GOOD[lost + 1:])


def test_a_sync_that_began_before_the_write_had_returned_is_refused():
    assert offences([*GOOD[:3], GOOD[4], GOOD[3], *GOOD[5:]])


def test_a_sync_that_failed_is_refused():
    assert offences([line.replace("1>) = 0", "1>) = -1 EIO (Input/output error)")
                     for line in GOOD])


def test_a_250_moved_ahead_is_refused():
    assert offences(doctored(GOOD, EXPECTED))


def test_the_index_counts_for_nothing():
    assert offences([line.replace("/d/body", "/d/index.sqlite-wal") for line in GOOD])

"""Who is read now and then, and who all the time."""

from messenger.core.read_pace import READS, SECONDS, SMALL, ReadPace


def test_a_few_small_reads_at_once_are_no_reason_to_rest() -> None:
    pace = ReadPace()
    assert not any(pace.too_fast(100.0, 1) for _ in range(READS - 1))
    assert pace.too_fast(100.0, 1)


def test_reads_that_take_their_time_never_are() -> None:
    pace = ReadPace()
    assert not any(pace.too_fast(100.0 + number * 2 * SECONDS / READS, 1) for number in range(1_000))


def test_nor_are_large_ones() -> None:
    pace = ReadPace()
    assert not any(pace.too_fast(100.0, SMALL) for _ in range(1_000))


def test_after_a_rest_the_count_begins_again() -> None:
    pace = ReadPace()
    for _ in range(READS):
        pace.too_fast(0.0, 1)
    assert not pace.too_fast(SECONDS, 1)

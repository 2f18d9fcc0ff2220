"""The judge of a guest's life must see every kind of loss."""

import pytest

from demo.counts import CountError, judge


def life(*numbers: int, ram: str = "ok", disk: str = "ok") -> str:
    return "".join(f"skep-guest: count {number} ram {ram} disk {disk}\r\n" for number in numbers)


def test_a_whole_life():
    assert judge("skep-guest: up\n" + life(1, 2, 3)) == 3


def test_a_line_cut_by_the_save_joins_up():
    text = life(1, 2, 3)
    assert judge(text[:50] + text[50:]) == 3


@pytest.mark.parametrize("end", range(1, len(life(3))))
def test_an_unfinished_line_does_not_count_yet(end):
    assert judge(life(1, 2) + life(3)[:end]) == 2


@pytest.mark.parametrize("text", [
    life(1, 2, 4),
    life(1, 2, 2, 3),
    life(2, 3),
    life(1) + life(2, ram="BAD (MiB 3)"),
    life(1) + life(2, disk="BAD (block 1 is damaged)"),
    life(1) + "skep-guest: count 2 ram ok di" + life(3),
], ids=["lost", "repeated", "no first", "ram", "disk", "torn"])
def test_loss_is_seen(text):
    with pytest.raises(CountError):
        judge(text)

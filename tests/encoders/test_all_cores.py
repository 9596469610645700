"""Work on all cores: the answers stay in order, and a call from within works in its own thread."""

import threading

from pipeline.encoders.all_cores import on_all_cores


def test_a_call_from_one_of_the_threads_opens_no_further_ones() -> None:
    def inner(number: int) -> tuple[int, int]:
        return number, threading.get_ident()

    def outer(number: int) -> tuple[int, list[tuple[int, int]]]:
        return threading.get_ident(), on_all_cores(inner, range(3 * number, 3 * number + 3))

    found = on_all_cores(outer, range(4))
    assert [number for _, made in found for number, _ in made] == list(range(12))
    assert all(thread == own for own, made in found for _, thread in made)
    assert threading.get_ident() not in {own for own, _ in found}
    assert {thread for _, thread in on_all_cores(inner, range(2))} != {threading.get_ident()}, "as before"

import threading
import time

from lesionseg.prediction.worker import MemoryBudget


def test_no_more_is_taken_than_there_is() -> None:
    budget, held, most, lock = MemoryBudget(10), [0], [0], threading.Lock()

    def take(amount: int) -> None:
        with budget.taken(amount):
            with lock:
                held[0] += amount
                most[0] = max(most[0], held[0])
            time.sleep(0.01)
            with lock:
                held[0] -= amount

    threads = [threading.Thread(target=take, args=(amount,)) for amount in (4, 6, 5, 3, 7, 2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert most[0] <= 10
    assert held[0] == 0


def test_more_than_everything_gets_everything() -> None:
    budget = MemoryBudget(10)
    with budget.taken(1000):
        waiting = threading.Thread(target=lambda: budget.taken(1).__enter__())
        waiting.start()
        waiting.join(timeout=0.1)
        assert waiting.is_alive()
    waiting.join(timeout=10)
    assert not waiting.is_alive()


def test_what_fails_gives_back() -> None:
    budget = MemoryBudget(10)
    for _ in range(2):
        try:
            with budget.taken(10):
                raise KeyError
        except KeyError:
            pass
    with budget.taken(10):
        pass

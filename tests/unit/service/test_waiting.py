"""Admission, the queue and the sign of life: who waits, who is turned away, and when an engine counts as stuck."""

import threading

import pytest

from reranker_service.admission import Admission
from reranker_service.errors import QueueFull
from reranker_service.progress import Progress
from reranker_service.work_queue import Job, WorkQueue


def job(count: int, *, sort: bool = False, start: int = 0) -> Job:
    return Job([[start + place] for place in range(count)], sort=sort)


def test_a_request_is_accepted_with_all_its_documents_or_not_at_all() -> None:
    seen: list[int] = []
    admission = Admission(100, seen.append)
    with admission.admit(60):
        with pytest.raises(QueueFull, match="60 documents are queued and 41 more would exceed the limit of 100"):
            admission.admit(41)
        assert admission.queued == 60
        with admission.admit(40) as second:
            second.release(10)
            assert admission.queued == 90
    assert admission.queued == 0
    assert seen == [60, 100, 90, 60, 0]


def test_room_is_given_back_once() -> None:
    admission = Admission(10, lambda _: None)
    with admission.admit(5) as room:
        room.release(5)
        room.release(5)
    assert admission.queued == 0


def test_retry_after_follows_the_speed_and_stays_in_bounds() -> None:
    admission = Admission(1000, lambda _: None)
    admission.admit(1000)

    def retry_after(documents: int) -> int:
        with pytest.raises(QueueFull) as caught:
            admission.admit(documents)
        return caught.value.retry_after_s

    assert retry_after(500) == 1  # nothing known yet
    admission.observe_speed(100, 1.0)
    assert retry_after(500) == 5
    assert retry_after(1) == 1
    assert retry_after(10**6) == 30


def test_several_requests_share_a_submission_and_a_large_one_is_cut() -> None:
    queue = WorkQueue(4)
    first, second, third = job(3), job(6, start=10), job(1, start=20)
    for one in (first, second, third):
        queue.put(one)
    queue.close()
    taken = []
    while (submission := queue.take()) is not None:
        taken.append(submission.prompts)
    assert taken == [[[0], [1], [2], [10]], [[11], [12], [13], [14]], [[15], [20]]]


def test_a_removed_request_costs_no_further_submission() -> None:
    queue = WorkQueue(2)
    gone, stays = job(5), job(1, start=10)
    queue.put(gone)
    queue.put(stays)
    assert [part.job for part in queue.take().parts] == [gone]  # type: ignore[union-attr]
    queue.remove(gone)
    queue.remove(gone)
    assert queue.take().prompts == [[10]]  # type: ignore[union-attr]
    queue.close()
    assert queue.take() is None


def test_take_waits_for_work() -> None:
    queue = WorkQueue(2)
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.append(queue.take()))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    queue.put(job(1))
    thread.join(5)
    assert len(taken) == 1


def test_answers_go_back_to_their_places_whatever_the_order_of_scoring() -> None:
    prompts = [[0] * length for length in (3, 1, 5, 2)]
    sorted_job = Job(prompts, sort=True)
    queue = WorkQueue(3)
    queue.put(sorted_job)
    queue.close()
    done = []
    while (submission := queue.take()) is not None:
        (part,) = submission.parts
        done.append(sorted_job.store(part.start, [float(len(ids)) for ids in part.prompts]))
    assert sorted_job.log_odds == [3.0, 1.0, 5.0, 2.0]
    assert done == [False, True]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_engine_is_stuck_when_it_has_work_and_makes_no_step() -> None:
    clock = Clock()
    progress = Progress(10.0, clock)
    clock.now += 1000
    assert progress.stalled_s() is None  # idle for ever is fine
    progress.begin()
    clock.now += 9.9
    assert progress.stalled_s() is None
    progress.step()
    clock.now += 9.9
    assert progress.stalled_s() is None  # slow, but it moves
    clock.now += 0.2
    assert progress.stalled_s() == pytest.approx(10.1)
    progress.end()
    assert progress.stalled_s() is None


def test_an_honest_step_longer_than_the_limit_is_allowed_for() -> None:
    clock = Clock()
    progress = Progress(10.0, clock)
    progress.calibrate(8.0)
    progress.begin()
    clock.now += 23.9
    assert progress.stalled_s() is None
    clock.now += 0.2
    assert progress.stalled_s() is not None

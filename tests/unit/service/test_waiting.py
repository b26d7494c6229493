"""Admission, the queue and the sign of life: who waits, who is turned away, and when an engine counts as stuck."""

import threading

import numpy as np
import pytest

from reranker_service.admission import Admission
from reranker_service.engines.protocol import Capacity
from reranker_service.errors import InvalidRequest, QueueFull
from reranker_service.progress import Progress
from reranker_service.scoring.prompt_arrays import Prompts
from reranker_service.work_queue import Job, Submission, WorkQueue, cost

ROOMY = Capacity(max_prompt_tokens=160, batch_documents=4)


def job(count: int, start: int = 0) -> Job:
    """Prompts of one id each, which are all there."""
    made = Job(count, sort=False)
    made.add(Prompts.from_lists([[start + place] for place in range(count)]))
    return made


def lists(submission: Submission | None) -> list[list[int]]:
    assert submission is not None
    return [ids for prompts in submission.prompts for ids in prompts.lists()]


def admitting(documents: int, tokens: int | None = None) -> Admission:
    return Admission(documents, tokens, lambda _: None)


def test_a_request_is_accepted_with_all_its_documents_or_not_at_all() -> None:
    seen: list[int] = []
    admission = Admission(100, None, seen.append)
    with admission.admit(60):
        with pytest.raises(QueueFull, match="60 documents are queued and 41 more would exceed the limit of 100"):
            admission.admit(41)
        assert admission.documents.taken == 60
        with admission.admit(40) as second:
            second.release(10)
            assert admission.documents.taken == 90
    assert admission.documents.taken == 0
    assert seen == [60, 100, 90, 60, 0]


def test_a_request_is_accepted_with_all_its_tokens_or_not_at_all() -> None:
    admission = admitting(100, 1000)
    with admission.admit(10) as first:
        first.hold_tokens(700)
        with admission.admit(5) as second:
            with pytest.raises(QueueFull, match="700 prompt tokens are queued and 301 more would exceed the limit of"):
                second.hold_tokens(301)
            first.release(9)  # nine tenths of its tokens go with nine tenths of its documents
            assert admission.tokens.taken == 70
            second.hold_tokens(301)
            assert admission.tokens.taken == 371
    assert (admission.documents.taken, admission.tokens.taken) == (0, 0)


def test_a_request_that_an_empty_queue_could_not_take_is_told_so() -> None:
    with admitting(100, 1000).admit(10) as room, pytest.raises(InvalidRequest, match="1001 prompt tokens, more than"):
        room.hold_tokens(1001)


def test_room_is_given_back_once() -> None:
    admission = admitting(10, 100)
    with admission.admit(5) as room:
        room.hold_tokens(50)
        room.release(5)
        room.release(5)
    assert (admission.documents.taken, admission.tokens.taken) == (0, 0)


def test_retry_after_follows_the_speed_and_stays_in_bounds() -> None:
    admission = admitting(1000, 10000)
    admission.admit(1000)

    def retry_after(documents: int) -> int:
        with pytest.raises(QueueFull) as caught:
            admission.admit(documents)
        return caught.value.retry_after_s

    assert retry_after(500) == 1  # nothing known yet
    admission.observe_speed(100, 1000, 1.0)
    assert retry_after(500) == 5
    assert retry_after(1) == 1
    assert retry_after(10**6) == 30


def test_retry_after_for_tokens_follows_their_speed() -> None:
    admission = admitting(1000, 10000)
    admission.observe_speed(1, 1000, 1.0)
    with admission.admit(1) as first, admission.admit(1) as second:
        first.hold_tokens(10000)
        with pytest.raises(QueueFull) as caught:
            second.hold_tokens(4000)
    assert caught.value.retry_after_s == 4


def test_several_requests_share_a_submission_and_a_large_one_is_cut() -> None:
    queue = WorkQueue()
    for one in (job(3), job(6, start=10), job(1, start=20)):
        queue.put(one)
    queue.close()
    taken = []
    while (submission := queue.take(ROOMY)) is not None:
        taken.append(lists(submission))
    # What has had a turn lets the younger one in before it, and keeps a share.
    assert taken == [[[0], [1], [2], [10]], [[20], [11], [12], [13]], [[14], [15]]]


def test_a_small_request_behind_a_large_one_is_in_the_next_submission() -> None:
    queue = WorkQueue()
    queue.put(job(1000))
    queue.take(ROOMY)
    small = job(2, start=5000)
    queue.put(small)
    assert lists(queue.take(ROOMY))[:2] == [[5000], [5001]]
    assert small.all_taken


def test_a_large_request_among_ever_new_small_ones_gets_on() -> None:
    queue = WorkQueue()
    large = job(100)
    queue.put(large)
    turns = 0
    while not large.all_taken:
        queue.put(job(4, start=1000))
        queue.take(ROOMY)
        turns += 1
    assert turns <= 100


def test_a_submission_stays_within_its_tokens_with_the_head_counted_once() -> None:
    queue = WorkQueue()
    one = Job(5, sort=False)
    one.add(Prompts.from_lists([[7, 7, 7, 1, place] for place in range(5)]))
    queue.put(one)
    queue.close()
    capacity = Capacity(max_prompt_tokens=160, batch_documents=100, batch_tokens=8)
    sizes = []
    while (submission := queue.take(capacity)) is not None:
        (prompts,) = submission.prompts
        assert cost(prompts) <= 8
        sizes.append(len(prompts))
    assert sizes == [4, 1]


def test_a_prompt_longer_than_a_submission_goes_alone() -> None:
    queue = WorkQueue()
    one = Job(2, sort=False)
    one.add(Prompts.from_lists([[1] * 50, [2] * 50]))
    queue.put(one)
    capacity = Capacity(max_prompt_tokens=160, batch_documents=100, batch_tokens=8)
    assert lists(queue.take(capacity)) == [[1] * 50]
    assert lists(queue.take(capacity)) == [[2] * 50]


def test_what_has_come_of_a_request_can_be_taken_before_the_rest() -> None:
    queue = WorkQueue()
    one = Job(3, sort=False)
    queue.put(one)
    assert queue.take(ROOMY, wait=False) is None
    assert queue.add(one, Prompts.from_lists([[1], [2]]))
    assert lists(queue.take(ROOMY)) == [[1], [2]]
    assert queue.add(one, Prompts.from_lists([[3]]))
    (part,) = queue.take(ROOMY).parts  # type: ignore[union-attr]
    assert part.places.tolist() == [2]


def test_a_removed_request_costs_no_further_submission() -> None:
    queue = WorkQueue()
    gone, stays = job(5), job(1, start=10)
    queue.put(gone)
    assert lists(queue.take(ROOMY)) == [[0], [1], [2], [3]]
    queue.put(stays)
    queue.remove(gone)
    queue.remove(gone)
    assert not queue.add(gone, Prompts.from_lists([[9]]))
    assert lists(queue.take(ROOMY)) == [[10]]
    queue.close()
    assert queue.take(ROOMY) is None


def test_take_waits_for_work() -> None:
    queue = WorkQueue()
    taken: list[object] = []
    thread = threading.Thread(target=lambda: taken.append(queue.take(ROOMY)))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    one = Job(1, sort=False)
    queue.put(one)
    queue.add(one, Prompts.from_lists([[1]]))
    thread.join(5)
    assert len(taken) == 1


def test_answers_go_back_to_their_places_whatever_the_order_of_scoring() -> None:
    one = Job(5, sort=True)
    one.add(Prompts.from_lists([[0] * length for length in (3, 1, 5, 2)]))
    one.add(Prompts.from_lists([[0] * 4]))
    queue = WorkQueue()
    queue.put(one)
    queue.close()
    done = []
    lengths = []
    while (submission := queue.take(Capacity(max_prompt_tokens=160, batch_documents=3))) is not None:
        (part,) = submission.parts
        lengths.append([len(ids) for ids in lists(submission)])
        done.append(one.store(part.places, np.asarray(lengths[-1], np.float64)))
    assert lengths == [[5, 3, 2], [1, 4]]
    assert one.log_odds.tolist() == [3.0, 1.0, 5.0, 2.0, 4.0]
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


def test_of_many_waiting_requests_half_go_first() -> None:
    queue = WorkQueue()
    for number in range(8):
        one = Job(100, sort=False)
        one.add(Prompts.from_lists([[number] * 50 + [place] * 28 for place in range(100)]))
        queue.put(one)
    capacity = Capacity(max_prompt_tokens=160, batch_documents=4096, batch_tokens=32768)
    first = queue.take(capacity)
    assert first is not None
    assert [part.documents for part in first.parts] == [100] * 4  # whole ones
    alone = WorkQueue()
    one = Job(1000, sort=False)
    one.add(Prompts.from_lists([[1] * 50 + [place] * 28 for place in range(1000)]))
    alone.put(one)
    assert len(lists(alone.take(capacity))) == 1000

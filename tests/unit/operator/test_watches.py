"""When a watch counts as dead, by a clock that the test sets."""

from reranker_operator.watches import FAILING_SECONDS, STALE_SECONDS, Watches


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def make() -> tuple[Watches, Clock]:
    clock = Clock()
    return Watches(["/api/v1/pods", "/api/v1/services"], clock), clock


def test_every_watch_must_have_been_opened():
    watches, _ = make()
    watches.opened("/api/v1/pods")
    assert watches.dead() == ["/api/v1/services has not been watched yet"]
    watches.opened("/api/v1/services")
    assert watches.dead() == []


def test_watch_that_is_not_opened_again_dies():
    watches, clock = make()
    watches.opened("/api/v1/pods")
    watches.opened("/api/v1/services")
    clock.now += STALE_SECONDS
    watches.opened("/api/v1/services")
    clock.now += 1
    assert watches.dead() == [f"/api/v1/pods was last watched {STALE_SECONDS + 1} s ago"]
    assert watches.ages() == {"/api/v1/pods": STALE_SECONDS + 1, "/api/v1/services": 1}


def test_watch_that_fails_for_long_dies_and_recovers():
    watches, clock = make()
    watches.opened("/api/v1/pods")
    watches.opened("/api/v1/services")
    watches.failed("/api/v1/pods")
    clock.now += FAILING_SECONDS
    assert watches.dead() == []
    clock.now += 1
    watches.failed("/api/v1/pods")
    assert watches.dead() == [f"/api/v1/pods can't be watched for {FAILING_SECONDS + 1} s"]
    watches.opened("/api/v1/pods")
    assert watches.dead() == []


def test_other_paths_are_not_counted():
    watches, _ = make()
    watches.opened("/api/v1/nodes")
    watches.failed("/api/v1/nodes")
    assert "/api/v1/nodes" not in watches.ages()

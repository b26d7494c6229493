"""The closed list of a RerankerBenchmark's reasons, of its conditions and its scenarios; scripts compare with them."""

from typing import Final

from reranker_operator import reasons

# While it goes on: what happens now
TARGET_NOT_FOUND: Final = "TargetNotFound"
"""Before the first scenario it is waited for; later it fails the scenario."""
TARGET_BUSY: Final = "TargetBusy"
"""Another benchmark measures the target in place."""
CLEANING_UP: Final = "CleaningUp"
"""The temporary reranker of the scenario before is still there."""
RERANKER_STARTING: Final = "RerankerStarting"
WAITING_FOR_GPU: Final = "WaitingForGPU"
MEASURING: Final = "Measuring"

# At its end
COMPLETED: Final = "Completed"
SCENARIOS_FAILED: Final = "ScenariosFailed"
INVALID_SPEC: Final = reasons.INVALID_SPEC

# Why a scenario failed. Those of the reranker's own conditions (ImagePull, CrashLoop, ProfileNotFound …) come beside.
NO_FREE_GPU: Final = "NoFreeGPU"
UNSCHEDULABLE: Final = reasons.UNSCHEDULABLE
TIME_LIMIT: Final = "TimeLimit"
TOO_MANY_DOCUMENTS: Final = "TooManyDocuments"
"""The target's limits forbid requests as large as those of the benchmark."""
NAME_CONFLICT: Final = reasons.NAME_CONFLICT
REJECTED: Final = reasons.REJECTED
JOB_DELETED: Final = "JobDeleted"
JOB_FAILED: Final = "JobFailed"
"""The Job ended without a summary."""
NOT_MEASURED: Final = "NotMeasured"
"""The benchmark's tool gave up before the first request; the message says why."""
LOST_SAMPLES: Final = "LostSamples"
INTERRUPTED: Final = "Interrupted"
"""The Job was ended before it had all samples."""

WAITING: Final = frozenset({TARGET_BUSY, CLEANING_UP, RERANKER_STARTING, WAITING_FOR_GPU, MEASURING})
"""Reasons that say how it goes on; all others are for someone to act on, but for `Completed`."""

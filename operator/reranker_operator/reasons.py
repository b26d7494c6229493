"""The closed list of condition reasons. Alerts and scripts compare with them: a word may be added, never changed."""

from typing import Final

# Accepted
SPEC_VALID: Final = "SpecValid"
FIT_UNKNOWN: Final = "FitUnknown"
"""Carried out, but whether the model fits the GPU can't be told."""
INVALID_SPEC: Final = "InvalidSpec"
"""The object isn't what this operator knows: the CRD and the operator are of different versions."""
PROFILE_NOT_FOUND: Final = "ProfileNotFound"
DTYPE_UNSUPPORTED: Final = "DTypeUnsupported"
DOES_NOT_FIT: Final = "DoesNotFit"
"""The weights alone are larger than the GPU's memory."""
KIND_MISSING: Final = "KindMissing"
"""The spec asks for a kind of object that this cluster doesn't have."""
NAME_CONFLICT: Final = "NameConflict"
"""An object of a child's name is there that isn't ours."""
REJECTED: Final = "Rejected"
"""The API server refuses a child, mostly because of something in podTemplate."""

# Available
MINIMUM_REPLICAS_AVAILABLE: Final = "MinimumReplicasAvailable"
SCALED_TO_ZERO: Final = "ScaledToZero"
PODS_STARTING: Final = "PodsStarting"

# Available and Progressing, while a pod fetches its model
DOWNLOADING: Final = "Downloading"

# Progressing
ROLLOUT_COMPLETE: Final = "RolloutComplete"
ROLLING_OUT: Final = "RollingOut"
DEADLINE_EXCEEDED: Final = "ProgressDeadlineExceeded"

# Available, where nothing was ever deployed, and Progressing, where nothing will be
NOT_ACCEPTED: Final = "NotAccepted"

# What keeps a pod from serving; a reason of Available and of Progressing
IMAGE_PULL: Final = "ImagePull"
UNSCHEDULABLE: Final = "Unschedulable"
NO_MATCHING_NODES: Final = "NoMatchingNodes"
"""Unschedulable, because no node has the labels that the GPU profile or the podTemplate asks for."""
VOLUME_NOT_BOUND: Final = "VolumeNotBound"
VOLUME_NOT_MOUNTED: Final = "VolumeNotMounted"
"""A volume can't be mounted: the Secret with the API keys or the ConfigMap with the golden set is missing, mostly."""
CONTAINER_CONFIG: Final = "ContainerConfig"
"""The container can't be created: a Secret or key that it needs is missing, for instance."""
OOM_KILLED: Final = "OOMKilled"
CRASH_LOOP: Final = "CrashLoop"
PODS_REFUSED: Final = "PodsRefused"
"""No pod can be created: a quota, a policy or Pod Security forbids it."""
SCORE_CHECK_FAILED: Final = "ScoreCheckFailed"
"""A pod runs, but has not proved that it ranks as it should, and takes no requests; ScoringVerified tells more."""

# The same, in the service's own words: it writes `<Reason>: <message>` when it can't start
MODEL_NOT_FOUND: Final = "ModelNotFound"
MODEL_INVALID: Final = "ModelInvalid"
DOWNLOAD_FAILED: Final = "DownloadFailed"
"""The hub can't be reached, or the cache's volume is full: trying again may help, and is done."""
OUT_OF_MEMORY: Final = "OutOfMemory"
BAD_CONFIGURATION: Final = "BadConfiguration"
BAD_ENGINE_ARGUMENTS: Final = "BadEngineArguments"
ENGINE_FAILED: Final = "EngineFailed"
ENGINE_MISSING: Final = "EngineMissing"
PORT_TAKEN: Final = "PortTaken"

# ScoringVerified
GOLDEN_SET_PASSED: Final = "GoldenSetPassed"
ORDER_VIOLATED: Final = "OrderViolated"
DRIFT: Final = "Drift"
"""A score is further from its baseline than scoreCheck.maxDrift allows."""
NO_GOLDEN_SET: Final = "NoGoldenSet"
"""There is nothing to prove the ranking with."""
DISABLED: Final = "Disabled"
CHECK_PENDING: Final = "CheckPending"
"""No pod of the present spec has made the check yet."""
HEALTH_UNREADABLE: Final = "HealthUnreadable"
"""The operator can't read the pods' /health: a NetworkPolicy, or an image that isn't ours."""

START_FAILURES: Final = frozenset(
    {
        MODEL_NOT_FOUND,
        MODEL_INVALID,
        DOWNLOAD_FAILED,
        OUT_OF_MEMORY,
        BAD_CONFIGURATION,
        BAD_ENGINE_ARGUMENTS,
        ENGINE_FAILED,
        ENGINE_MISSING,
        PORT_TAKEN,
    }
)
"""What the service says of a start that failed."""
CRASHES: Final = START_FAILURES | {OOM_KILLED, CRASH_LOOP}
"""The container ended."""
POD_FAILURES: Final = CRASHES | {
    IMAGE_PULL,
    UNSCHEDULABLE,
    NO_MATCHING_NODES,
    VOLUME_NOT_BOUND,
    VOLUME_NOT_MOUNTED,
    CONTAINER_CONFIG,
    PODS_REFUSED,
    SCORE_CHECK_FAILED,
}
FAILURES: Final = POD_FAILURES | {
    INVALID_SPEC,
    PROFILE_NOT_FOUND,
    DTYPE_UNSUPPORTED,
    DOES_NOT_FIT,
    KIND_MISSING,
    NAME_CONFLICT,
    REJECTED,
    DEADLINE_EXCEEDED,
    NOT_ACCEPTED,
    ORDER_VIOLATED,
    DRIFT,
    HEALTH_UNREADABLE,
}
"""Reasons that someone has to act on; their Events are warnings."""

ACCEPTED: Final = frozenset({SPEC_VALID, FIT_UNKNOWN})
"""Reasons with which a spec is carried out."""

"""The closed list of condition reasons. Alerts and scripts compare with them: a word may be added, never changed."""

from typing import Final

# Accepted
SPEC_VALID: Final = "SpecValid"
INVALID_SPEC: Final = "InvalidSpec"
"""The object isn't what this operator knows: the CRD and the operator are of different versions."""
PROFILE_NOT_FOUND: Final = "ProfileNotFound"
DTYPE_UNSUPPORTED: Final = "DTypeUnsupported"
NAME_CONFLICT: Final = "NameConflict"
"""An object of a child's name is there that isn't ours."""
REJECTED: Final = "Rejected"
"""The API server refuses a child, mostly because of something in podTemplate."""

# Available
MINIMUM_REPLICAS_AVAILABLE: Final = "MinimumReplicasAvailable"
SCALED_TO_ZERO: Final = "ScaledToZero"
PODS_STARTING: Final = "PodsStarting"

# Progressing
ROLLOUT_COMPLETE: Final = "RolloutComplete"
ROLLING_OUT: Final = "RollingOut"
DEADLINE_EXCEEDED: Final = "ProgressDeadlineExceeded"

# Available, where nothing was ever deployed, and Progressing, where nothing will be
NOT_ACCEPTED: Final = "NotAccepted"

# What keeps a pod from serving; a reason of Available and of Progressing
IMAGE_PULL: Final = "ImagePull"
UNSCHEDULABLE: Final = "Unschedulable"
VOLUME_NOT_BOUND: Final = "VolumeNotBound"
CONTAINER_CONFIG: Final = "ContainerConfig"
"""The container can't be created: a Secret or key that it needs is missing, for instance."""
OOM_KILLED: Final = "OOMKilled"
CRASH_LOOP: Final = "CrashLoop"
PODS_REFUSED: Final = "PodsRefused"
"""No pod can be created: a quota, a policy or Pod Security forbids it."""

POD_FAILURES: Final = frozenset(
    {IMAGE_PULL, UNSCHEDULABLE, VOLUME_NOT_BOUND, CONTAINER_CONFIG, OOM_KILLED, CRASH_LOOP, PODS_REFUSED}
)
FAILURES: Final = POD_FAILURES | {
    INVALID_SPEC,
    PROFILE_NOT_FOUND,
    DTYPE_UNSUPPORTED,
    NAME_CONFLICT,
    REJECTED,
    DEADLINE_EXCEEDED,
    NOT_ACCEPTED,
}
"""Reasons that someone has to act on; their Events are warnings."""

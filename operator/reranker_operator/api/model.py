"""The part of a RerankerDeployment that says which weights to serve and where they come from."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from reranker_operator.api.base import ApiModel, Name, Quantity, rule, with_rules

RelativePath = Annotated[
    str, StringConstraints(max_length=1024, pattern=r"^$|^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$")
]
"""A folder below a root: no leading slash, no `..`."""


class PvcSource(ApiModel):
    """Weights on a volume that is there already."""

    claim_name: Name
    """The PersistentVolumeClaim in the same namespace; it is mounted read-only."""
    path: RelativePath = ""
    """The checkpoint's folder within the volume; empty for the volume's root."""


class ImageSource(ApiModel):
    """Weights in an OCI image that is mounted as a volume (needs Kubernetes' ImageVolume)."""

    reference: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    """The image's reference, with a digest where the weights must not change."""
    path: RelativePath = ""
    """The checkpoint's folder within the image; empty for its root."""


class SecretKeyRef(ApiModel):
    """One key of a Secret in the same namespace."""

    name: Name
    """The Secret's name."""
    key: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """The key within the Secret."""


class HubSource(ApiModel):
    """Weights from the Hugging Face hub that need a token."""

    token_secret_ref: SecretKeyRef
    """Where the access token stands, for gated or private models."""


class ModelSource(ApiModel):
    """Where the weights come from; exactly one of the members."""

    model_config = with_rules(
        rule(
            "[has(self.pvc), has(self.image), has(self.hub)].filter(given, given).size() == 1",
            "exactly one of pvc, image and hub must be given",
        )
    )

    pvc: PvcSource | None = None
    """A PersistentVolumeClaim that holds the checkpoint."""
    image: ImageSource | None = None
    """An OCI image that holds the checkpoint."""
    hub: HubSource | None = None
    """The hub, with a token. Without a token no source is needed: `name` alone is enough."""


class ModelCache(ApiModel):
    """Where downloaded weights are kept: on a claim that is there already, or on one that the operator makes."""

    model_config = with_rules(
        rule(
            "has(self.existingClaim) != has(self.size)",
            "exactly one of existingClaim and size must be given",
        ),
        rule(
            "!has(self.existingClaim) || (!has(self.storageClassName) && !has(self.accessMode))",
            "storageClassName and accessMode are of a claim that the operator makes: they go with size only",
        ),
        rule(
            "!has(self.size) || !has(oldSelf.size) || (has(self.storageClassName) == has(oldSelf.storageClassName) && "
            "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName) && "
            "has(self.accessMode) == has(oldSelf.accessMode) && "
            "(!has(self.accessMode) || self.accessMode == oldSelf.accessMode))",
            "storageClassName and accessMode of a claim can't be changed; remove the cache first",
        ),
        rule(
            "!has(self.size) || !has(oldSelf.size) || "
            "quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",
            "a claim can't shrink: size may only grow; remove the cache first",
        ),
    )

    existing_claim: Name | None = None
    """A PersistentVolumeClaim that new pods read instead of downloading again. Pods on several nodes need one with the
    access mode ReadWriteMany."""
    size: Quantity | None = None
    """How large the claim is that the operator makes, such as 20Gi. It is deleted with the RerankerDeployment."""
    storage_class_name: Name | None = None
    """Its StorageClass; otherwise the cluster's default."""
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] | None = None
    """Its access mode: ReadWriteMany for pods on several nodes; ReadWriteOnce by default."""


class Model(ApiModel):
    """The model to serve."""

    model_config = with_rules(
        rule(
            "!(self.name.startsWith('/') && has(self.source))",
            "a name that begins with / is a folder of the service's image; it takes no source",
        ),
        rule(
            "!(self.name.startsWith('/') && has(self.revision))",
            "a name that begins with / is a folder of the service's image; it takes no revision",
        ),
        rule(
            "!has(self.cache) || (!self.name.startsWith('/') && (!has(self.source) || has(self.source.hub)))",
            "a cache is for downloaded weights: it goes with a hub model only",
        ),
    )

    name: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    """A model on the hub such as Qwen/Qwen3-Reranker-0.6B, or the absolute path of a checkpoint's folder within the
    service's image. With a pvc or image source it only names the model."""
    revision: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """A commit, tag or branch of the hub's repository. Without it, its newest."""
    source: ModelSource | None = Field(default=None)
    """Where the weights come from; without it from the hub (no token), or from the image for an absolute path."""
    cache: ModelCache | None = None
    """Keeps downloaded weights; without it each pod downloads them into its own temporary volume."""

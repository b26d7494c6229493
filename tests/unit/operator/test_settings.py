"""The operator's configuration file, and durations."""

from pathlib import Path

import pytest

from reranker_operator.api.base import parse_duration
from reranker_operator.settings import SettingsError, load, parse


def test_smallest_configuration_knows_cpus():
    settings = parse({}, "test")
    assert settings.namespaces == ()
    assert list(settings.gpu_profiles) == ["cpu"]


def test_profile_is_read(tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "gpuProfiles: {t4: {resource: nvidia.com/gpu, memoryGiB: 16, computeCapability: '7.5', dtype: float16, "
        "runtimeClassName: null, tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]}}"
    )
    profile = load(path).gpu_profiles["t4"]
    assert (profile.resource, profile.memory_gib, profile.compute_capability) == ("nvidia.com/gpu", 16, "7.5")
    assert profile.tolerations[0].as_object() == {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resyncSecond: 1", "resyncSecond: Extra inputs are not permitted"),
        ("gpuProfiles: {t4: {memory: 16}}", "gpuProfiles.t4.memory: Extra inputs"),
        ("resyncSeconds: 0", "resyncSeconds: Input should be greater than or equal to 1"),
        ("imagePullPolicy: Sometimes", "imagePullPolicy: String should match"),
        ("[]", "it: Input should be"),
        ("{", "while reading"),
    ],
)
def test_wrong_configuration_is_an_error_that_names_the_key(tmp_path: Path, text: str, message: str):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"config\.yaml") as caught:
        load(path)
    assert message in str(caught.value)


def test_missing_configuration_is_an_error(tmp_path: Path):
    with pytest.raises(SettingsError, match="while reading"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("1m30s", 90), ("1.5h", 5400), ("500ms", 0.5)])
def test_durations(text: str, seconds: float):
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "30", "s", "1d", "-1s", "1s ", "1m,30s"])
def test_what_is_no_duration(text: str):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)

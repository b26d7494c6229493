"""What a cluster could leave behind on the machine, as sets of lines that can be compared."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROC_SYS = Path("/proc/sys")
CHANGES_BY_ITSELF = (
    "fs/aio-nr", "fs/dentry-state", "fs/file-nr", "fs/inode-nr", "fs/inode-state", "fs/quota", "kernel/ns_last_pid",
    "kernel/pty/nr", "kernel/random", "kernel/perf_event_max_sample_rate", "net/netfilter/nf_conntrack_count",
)  # fmt: skip
# Where programs of a node would put what outlives them.
FOLDERS_OF_CLUSTERS = (
    "/etc", "/etc/cni", "/mnt", "/opt", "/opt/cni", "/run", "/run/netns", "/usr/libexec", "/var/lib",
    "/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet", "/var/log", "/var/log/containers", "/var/log/pods",
)  # fmt: skip


def _output(*command: str) -> set[str]:
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def _kernel_settings() -> set[str]:
    found = set()
    for path in PROC_SYS.rglob("*"):
        name = str(path.relative_to(PROC_SYS))
        if name.startswith(CHANGES_BY_ITSELF) or not path.is_file():
            continue
        try:
            found.add(f"{name}={path.read_text()}")
        except OSError:
            continue  # only for writing, or gone with its network link
    return found


def _control_groups() -> set[str]:
    return {str(path) for path in Path("/sys/fs/cgroup").rglob("*") if path.is_dir()}


def _entries() -> set[str]:
    folders = [Path(folder) for folder in FOLDERS_OF_CLUSTERS if Path(folder).is_dir()]
    return {str(entry) for folder in folders for entry in folder.iterdir()}


def traces() -> dict[str, set[str]]:
    """Everything but processes, by kind."""
    return {
        "mounts": set(Path("/proc/mounts").read_text().splitlines()),
        "links": _output("ip", "-oneline", "link"),
        "routes": _output("ip", "route", "show", "table", "all"),
        "nftables": _output("nft", "list", "ruleset"),
        "ipsets": _output("ipset", "list", "-name"),
        "kernel settings": _kernel_settings(),
        "control groups": _control_groups(),
        "entries of folders": _entries(),
    }


@dataclass(frozen=True)
class Process:
    """A process and when it started, in clock ticks since boot: numbers of processes are used again."""

    pid: int
    started: int

    @property
    def name(self) -> str:
        """The program's name; empty when the process is gone."""
        try:
            command = Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace")
        except OSError:
            return ""
        return command.split("\0")[0].rpartition("/")[2]

    def is_alive(self) -> bool:
        """Whether this very process is there still."""
        fields = _stat(self.pid)
        return fields is not None and int(fields[19]) == self.started


def descendants_of(pid: int) -> set[Process]:
    """A process and everything below it; a node's first process adopts what its daemons leave alone."""
    stats = {int(folder.name): _stat(int(folder.name)) for folder in Path("/proc").iterdir() if folder.name.isdigit()}
    found = {pid}
    while True:
        below = {child for child, fields in stats.items() if fields and int(fields[1]) in found} - found
        if not below:
            break
        found |= below
    return {Process(member, int(fields[19])) for member in found if (fields := stats.get(member))}


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on; None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def left_behind(before: dict[str, set[str]], after: dict[str, set[str]], cluster: str) -> dict[str, set[str]]:
    """What is new or changed between two looks, by kind.

    Other programs (image builders, say) and pods of other clusters make mounts, control groups and files meanwhile: of
    these kinds those count that bear the cluster's name or that of a part of it, and mounts where a node makes its own.
    Nobody else makes links, routes or rules.
    """
    changes = {kind: after[kind] ^ before[kind] for kind in before}
    parts = (cluster, "kube", "containerd", "cni", "etcd", "pods")
    points = (" /run ", " /tmp ", " /sys", " /proc", " /var/lib ", " /var/log ")
    others = re.compile(rf"reranker-operator-(?!{re.escape(cluster)}(/|$))")
    for kind, words in (("mounts", parts + points), ("control groups", parts), ("entries of folders", parts)):
        changes[kind] = {
            line for line in changes[kind] if any(word in line for word in words) and not others.search(line)
        }
    return {kind: lines for kind, lines in changes.items() if lines}

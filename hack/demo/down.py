"""Ends the demo: a local cluster goes as a whole; from the user's own only what the demo put there is removed."""

from __future__ import annotations

from rich.console import Console

from hack.demo.shell import Shell, StepError
from hack.demo.up import NAMESPACE, RELEASE, SYSTEM_NAMESPACE


def take_down(shell: Shell, console: Console) -> int:
    """Remove the demo; the exit status is 1 when something could not be removed."""
    try:
        if shell.local:
            shell.run("hack/cluster/cluster", "down")
        else:
            # The CRs go first, while the operator is there to be seen; the CRD itself is kept, as Helm users expect.
            shell.run("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found")
            shell.run("helm", "uninstall", RELEASE, "-n", SYSTEM_NAMESPACE, "--ignore-not-found")
            shell.run("kubectl", "delete", "namespace", SYSTEM_NAMESPACE, "--ignore-not-found")
    except StepError as error:
        console.print(f"[bold red]failed:[/bold red] {error}")
        return 1
    return 0

# shellcheck shell=bash
# Names, folders and messages that every other file uses.
# shellcheck disable=SC2034 # most of these are used by the files that source this one

cluster="${CLUSTER_NAME:-reranker}"
node_name="$cluster-node"

progress() { printf 'cluster: %3d s  %s\n' "$SECONDS" "$*" >&2; }
fail() { printf 'cluster: %s\n' "$*" >&2; exit 1; }

[[ $cluster =~ ^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$ ]] ||
  fail "CLUSTER_NAME is '$cluster': it must be lower-case letters, digits and dashes, 30 at most, a letter first"

# Under sudo, HOME is root's; the caches and the kubeconfig belong to the person who called.
owner="${SUDO_USER:-$(id -un)}"
if [[ $EUID -ne 0 || $owner == root ]]; then
  owner="$(id -un)"
  owner_home="$HOME"
else
  owner_home="$(getent passwd "$owner" | cut -d: -f6)"
fi

cache="${XDG_CACHE_HOME:-$owner_home/.cache}/reranker-operator"
states="${XDG_STATE_HOME:-$owner_home/.local/state}/reranker-operator"
state="$states/$cluster"

need_root() { # command
  [[ $EUID -eq 0 ]] ||
    fail "'$1' needs root, for namespaces, control groups and network links: run 'sudo hack/cluster/cluster $1'"
}

give_to_owner() { # path...
  if [[ $(id -un) != "$owner" ]]; then chown -h "$owner:" "$@"; fi
}

make_owned_folder() { # path: like mkdir -p, but what is made belongs to the owner
  [[ -d $1 ]] && return
  make_owned_folder "$(dirname "$1")"
  mkdir -p "$1"
  give_to_owner "$1"
}

lock_cluster() { # one up or down at a time; the lock goes with this process
  lock="$states/.$cluster.lock"
  make_owned_folder "$states"
  while :; do
    exec 9>"$lock"
    if ! flock --nonblock 9; then
      progress "waiting for another 'up' or 'down' of cluster $cluster"
      flock 9
    fi
    # Whoever held it may have removed the file, and somebody else may hold the lock on a new one.
    if [[ $lock -ef /proc/self/fd/9 ]]; then return; fi
  done
}

remove_lock() { rm -f "$lock"; }

# Tries a command every tenth of a second until it succeeds or the seconds are over.
wait_for() { # seconds what command...
  local deadline=$((SECONDS + $1)) what="$2"
  shift 2
  until "$@"; do
    if ((SECONDS >= deadline)); then
      progress "gave up waiting for: $what"
      return 1
    fi
    sleep 0.1
  done
}

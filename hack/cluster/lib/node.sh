# shellcheck shell=bash disable=SC2154 # names of the other files in this folder
# Starts the node: a set of fresh namespaces whose first process is lib/node-init.

cgroup="reranker-operator-$cluster"

cgroup_mounts() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }

# The node's control group, with a leaf for its own daemons; the kubelet makes the pods' beside it.
make_cgroups() {
  local mount folder file
  while read -r mount; do
    for folder in "$mount/$cgroup" "$mount/$cgroup/daemons"; do
      mkdir -p "$folder"
      # Version 1 starts a cpuset empty, and refuses processes until it has processors and memory.
      for file in cpuset.cpus cpuset.mems; do
        if [[ -e $mount/$file && -z "$(<"$folder/$file")" ]]; then cat "$mount/$file" >"$folder/$file"; fi
      done
    done
  done < <(cgroup_mounts)
}

enter_cgroups() { # this process, and so what it starts
  local mount
  while read -r mount; do
    echo "$BASHPID" >"$mount/$cgroup/daemons/cgroup.procs"
  done < <(cgroup_mounts)
}

start_node() {
  progress "starting node $node_name"
  make_owned_folder "$state"
  mkdir -p "$state"/{node,log,run}
  chmod 700 "$state/node" # etcd's data hold every Secret
  claim_slot
  make_pki "$state/node/pki"
  write_config "$state/node/config"
  make_cgroups
  # unshare --fork waits for the node's first process; both ends of that pair end together.
  (
    enter_cgroups
    cd /
    # A clean environment: a proxy or a Go setting of the caller's is not the node's.
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root setsid unshare --pid --fork --kill-child=KILL --mount --net --uts --ipc -- \
      "$here/lib/node-init" "$state" "$(bin_path)"
  ) >"$state/log/node.log" 2>&1 9>&- </dev/null &
  wait_for 10 "the node's namespaces" test -s "$state/init" || node_did_not_start
  connect_node "$(init_pid)"
  hand_over_access
}

# The node's folder is root's; what the owner needs to use the cluster lies beside it.
hand_over_access() {
  local file
  for file in ca.crt admin.crt admin.key; do install -m 600 "$state/node/pki/$file" "$state/$file"; done
  install -m 600 "$state/node/pki/admin.kubeconfig" "$state/kubeconfig"
  give_to_owner "$state"/{ca.crt,admin.crt,admin.key,kubeconfig}
}

node_did_not_start() {
  tail -n 20 "$state/log/node.log" >&2
  fail "the node did not start; the lines above are its log"
}

init_pid() { cut -d' ' -f1 "$state/init"; }

# The process in $state/init is ours when it started when that file says, in this very boot.
node_is_running() {
  [[ -s $state/init && -s $state/slot ]] || return 1
  local pid started boot line fields
  read -r pid started boot <"$state/init"
  [[ $boot == "$(</proc/sys/kernel/random/boot_id)" && -r /proc/$pid/stat ]] || return 1
  line="$(</proc/"$pid"/stat)" 2>/dev/null || return 1
  read -ra fields <<<"${line##*) }"
  [[ ${fields[19]} == "$started" && ${fields[0]} != Z ]] || return 1
  use_slot "$(<"$state/slot")"
}

in_node() { # command...
  nsenter --target "$(init_pid)" --mount --net --uts --ipc --pid --root --wd \
    env PATH="/run/node/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
}

enter_node() { # [command...]
  need_root enter
  node_is_running || fail "cluster $cluster is not up"
  if (($#)); then in_node "$@"; else in_node bash; fi
}

print_log() { # [component]
  [[ -d $state/log ]] || fail "cluster $cluster is not up"
  if (($# == 0)); then
    find "$state/log" -maxdepth 1 -name '*.log' -printf '%f\n' | sed 's/\.log$//' | sort
  else
    [[ -f $state/log/$1.log ]] || fail "there is no component '$1'; run 'hack/cluster/cluster logs' for their names"
    cat "$state/log/$1.log"
  fi
}

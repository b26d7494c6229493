# shellcheck shell=bash disable=SC2154 # names of the other files in this folder
# Ends the cluster and removes every trace, whatever state it is in: up, half dead, or forgotten after a crash.

cgroup_processes() { # every process in the cluster's control groups, pods included
  local mount
  while read -r mount; do
    if [[ -d $mount/$cgroup ]]; then
      find "$mount/$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null
    fi
  done < <(cgroup_mounts) | sort -un
}

no_process_is_left() { [[ -z "$(cgroup_processes)" ]]; }

end_processes() {
  # One kill is enough while the first process lives: the kernel ends its whole process namespace.
  if node_is_running; then kill -KILL "$(init_pid)" 2>/dev/null || true; fi
  wait_for 5 "the node's processes to end" no_process_is_left 2>/dev/null && return
  local left
  mapfile -t left < <(cgroup_processes)
  if ((${#left[@]})); then kill -KILL "${left[@]}" 2>/dev/null || true; fi
  wait_for 10 "the node's last processes to end" no_process_is_left || fail "processes that cannot be ended: ${left[*]}"
}

cgroups_are_gone() {
  local mount
  while read -r mount; do
    [[ -d $mount/$cgroup ]] || continue
    find "$mount/$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
    [[ ! -d $mount/$cgroup ]] || return 1
  done < <(cgroup_mounts)
}

remove_link() {
  local own
  own="$(find_own_link)"
  if [[ $own ]]; then
    use_slot "${own#rrk}"
  elif [[ -s $state/slot ]]; then
    use_slot "$(<"$state/slot")"
  else
    return 0
  fi
  disconnect_node
}

# Images are tens of thousands of files, and one `rm` waits for the disk at each of them: several take a quarter of its time.
remove_state() {
  [[ -d $state ]] || return 0
  find "$state" -xdev -type f -print0 | xargs --null --no-run-if-empty --max-procs 8 --max-args 500 rm -f
  rm -rf --one-file-system "$state"
}

remove_everything() {
  end_processes
  remove_link
  wait_for 10 "the control groups to go" cgroups_are_gone || fail "control groups named $cgroup cannot be removed"
  remove_state
}

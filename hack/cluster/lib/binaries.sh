# shellcheck shell=bash disable=SC2154 # names of the other files in this folder
# The binaries: each tools module is built once and cached by the hash of what goes into it.

kubernetes_names=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl)
tools=(kubernetes coredns kube-router helm pause)
debian_binaries=(etcd etcdctl containerd containerd-shim-runc-v2 ctr runc)

module_version() { # tool module: the version that its go.mod names
  awk -v module="$2" '$1 == module { print $2; exit } $1 == "require" && $2 == module { print $3; exit }' \
    "$here/tools/$1/go.mod"
}

link_flags() { # tool
  local version
  case "$1" in
    kubernetes)
      version="$(module_version kubernetes k8s.io/kubernetes)"
      local minor="${version#v*.}"
      printf '%s' "-s -w -X k8s.io/component-base/version.gitVersion=$version" \
        " -X k8s.io/component-base/version.gitMajor=1" \
        " -X k8s.io/component-base/version.gitMinor=${minor%%.*}" \
        " -X k8s.io/client-go/pkg/version.gitVersion=$version"
      ;;
    helm)
      version="$(module_version helm helm.sh/helm/v4)"
      printf '%s' "-s -w -X helm.sh/helm/v4/internal/version.version=$version"
      ;;
    *) printf '%s' "-s -w" ;;
  esac
}

built_folder() { # tool: where its binary is or will be
  local files=("$here/tools/$1/go.mod" "$here/tools/$1/main.go") hash
  if [[ -f $here/tools/$1/go.sum ]]; then files+=("$here/tools/$1/go.sum"); fi
  hash="$({ cat "${files[@]}"; link_flags "$1"; uname -m; } | sha256sum)"
  printf '%s/bin/%s-%s\n' "$cache" "$1" "${hash:0:16}"
}

compile() { # tool file
  cd "$here/tools/$1" || return
  CGO_ENABLED=0 GOFLAGS=-mod=readonly exec go build -trimpath -buildvcs=false -p "${CLUSTER_BUILD_JOBS:-$(nproc)}" \
    -ldflags "$(link_flags "$1")" -o "$2" .
}

build_tool() { # tool
  local target unfinished builder started=$SECONDS
  target="$(built_folder "$1")"
  if [[ -x $target/$1 ]]; then return; fi
  command -v go >/dev/null || fail "Go is needed to build $1: install Go 1.26 or newer and try again"
  progress "building $1$([[ $1 != kubernetes ]] || echo ' (about 11 minutes on 2 cores)')"
  unfinished="$target.$$"
  mkdir -p "$unfinished"
  # In the background, so that something is said meanwhile; the compiler must not outlive an interrupted build.
  (compile "$1" "$unfinished/$1") &
  builder=$!
  # shellcheck disable=SC2064 # these values are meant
  trap "kill $builder 2>/dev/null; rm -rf '$unfinished'" EXIT
  while kill -0 "$builder" 2>/dev/null; do
    sleep 1
    if (((SECONDS - started) % 60 == 59)); then progress "still building $1"; fi
  done
  wait "$builder" || fail "building $1 failed"
  trap - EXIT
  # Another build of the same may have been quicker; both are the same.
  mv -T "$unfinished" "$target" 2>/dev/null || rm -rf "$unfinished"
  progress "built $1 in $((SECONDS - started)) s"
}

bin_path() { # the folder of links, named by the builds that it points at
  local tool all=""
  for tool in "${tools[@]}"; do all+="$(built_folder "$tool")"; done
  local hash
  hash="$(printf '%s' "$all" | sha256sum)"
  printf '%s/bin/all-%s\n' "$cache" "${hash:0:16}"
}

link_all() { # relative links, so that the cache may be mounted elsewhere; Debian's by absolute ones
  local folder name tool found
  folder="$(bin_path)"
  mkdir -p "$folder"
  for tool in "${tools[@]}"; do
    found="../$(basename "$(built_folder "$tool")")/$tool"
    if [[ $tool == kubernetes ]]; then
      for name in "${kubernetes_names[@]}"; do ln -sfn "$found" "$folder/$name"; done
    else
      ln -sfn "$found" "$folder/$tool"
    fi
  done
  for name in "${debian_binaries[@]}"; do
    if found="$(PATH="/usr/sbin:/usr/bin:/sbin:/bin" command -v "$name")"; then ln -sfn "$found" "$folder/$name"; fi
  done
}

build_all() {
  local tool
  install_packages
  for tool in "${tools[@]}"; do build_tool "$tool"; done
  link_all
  progress "binaries are in $(bin_path)"
}

all_are_built() {
  local tool
  for tool in "${tools[@]}"; do [[ -x $(built_folder "$tool")/$tool ]] || return 1; done
}

build_as_owner() { # so that nothing in the caller's caches belongs to root
  if all_are_built; then
    link_all
    give_to_owner "$(bin_path)"
  elif [[ $(id -un) == "$owner" ]]; then
    build_all
  else
    runuser -u "$owner" -- env HOME="$owner_home" PATH="$PATH" "$here/cluster" build
  fi
}

bin_folder() {
  all_are_built || fail "not all binaries are built: run 'hack/cluster/cluster build'"
  if [[ ! -e $(bin_path)/etcd ]]; then link_all; fi
  bin_path
}

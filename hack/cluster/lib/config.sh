# shellcheck shell=bash disable=SC2154 # names of the other files in this folder
# The configuration files of the node's parts. Paths are as the node sees them: its /var/lib is $state/node.

pause_image() { printf 'localhost/pause:%s' "$(basename "$(built_folder pause)" | cut -d- -f2)"; }

write_containerd_config() { # folder
  # restrict_oom_score_adj: without CAP_SYS_RESOURCE runc cannot lower the score, and every sandbox would fail.
  # opt: containerd would make /opt/containerd on the machine.
  cat >"$1/containerd.toml" <<TOML
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$(pause_image)"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/var/lib/config/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
TOML
}

write_cni_config() { # folder
  # ptp, not bridge: every packet between two pods is then routed, so that NetworkPolicy sees it whatever the kernel
  # does with bridged packets.
  mkdir -p "$1/cni"
  cat >"$1/cni/10-pods.conflist" <<JSON
{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-addresses",
        "ranges": [[{"subnet": "$pod_cidr"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
}

write_kubelet_config() { # folder
  # Eviction and image collection by absolute figures: percentages of a big, fuller disk would evict pods.
  cat >"$1/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 0.0.0.0
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: /var/lib/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: /var/lib/pki/kubelet-server.crt
tlsPrivateKeyFile: /var/lib/pki/kubelet-server.key
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDomain: cluster.local
clusterDNS: [$dns_ip]
resolvConf: /var/lib/config/resolv.conf
volumePluginDir: /var/lib/kubelet/volume-plugins
maxPods: 200
evictionHard: {memory.available: 100Mi, nodefs.available: 500Mi, imagefs.available: 500Mi}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
kubeAPIQPS: 200
kubeAPIBurst: 400
serializeImagePulls: false
protectKernelDefaults: false
YAML
  # No outside, so no outer name server either: the search list is all that pods get from this file.
  : >"$1/resolv.conf"
}

write_proxy_config() { # folder
  # conntrack's limits are the machine's, not the node's: zero leaves them alone.
  cat >"$1/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: /var/lib/pki/kube-proxy.kubeconfig}
hostnameOverride: $node_name
mode: nftables
clusterCIDR: $pod_cidr
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
healthzBindAddress: 0.0.0.0:10256
metricsBindAddress: 127.0.0.1:10249
YAML
}

write_node_environment() { # folder: what the init script and its services need to know
  local name
  for name in cluster node_name host_ip node_ip pod_cidr service_cidr; do
    printf '%s=%q\n' "$name" "${!name}"
  done >"$1/node.env"
}

write_config() { # folder
  mkdir -p "$1"
  write_containerd_config "$1"
  write_cni_config "$1"
  write_kubelet_config "$1"
  write_proxy_config "$1"
  write_node_environment "$1"
}

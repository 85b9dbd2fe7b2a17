#!/bin/bash
# Builds what the upstream suite needs, from Go modules, into OUT (default: ~/.cache/coxswain-conformance):
#   OUT/bin   e2e.test, ginkgo, kubectl; with 'peers' also kube-apiserver, kube-controller-manager, kube-scheduler,
#             kubelet, kube-proxy, etcd and etcdctl (to measure against, or to swap one component at a time)
#   OUT/e2e-images.tar   the images that the tests name, as one OCI archive (ctr -n k8s.io images import)
#   build.sh [peers]
# Needs: Go 1.25+, gcc, root, and Debian's debootstrap, busybox-static, bash-static, openssl. 10 minutes on 2 cores when nothing is cached; what is
# there already is left alone.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
OUT=${OUT:-$HOME/.cache/coxswain-conformance}
mkdir -p "$OUT/bin"
export GOFLAGS=-mod=readonly CGO_ENABLED=0
v=k8s.io/component-base/version
STAMP="-s -w -X $v.gitVersion=v1.35.4 -X $v.gitMajor=1 -X $v.gitMinor=35 -X $v.gitTreeState=clean -X $v.gitCommit=0000000000000000000000000000000000000000 -X $v.buildDate=2026-01-01T00:00:00Z"
built() { [ -x "$OUT/bin/$1" ]; }
go_build() { built "$1" || { echo "building $1"; (cd "$HERE/$2" && go build -trimpath -ldflags "$STAMP" -o "$OUT/bin/$1" "$3"); }; }

go_build kubectl . k8s.io/kubernetes/cmd/kubectl
built e2e.test || { echo "building e2e.test"; (cd "$HERE" && go test -c -vet=off -trimpath -ldflags "$STAMP" -o "$OUT/bin/e2e.test" k8s.io/kubernetes/test/e2e); }
go_build ginkgo . github.com/onsi/ginkgo/v2/ginkgo
go_build etcd etcd .
if [ "${1:-}" = peers ]; then
  go_build etcdctl etcd go.etcd.io/etcd/etcdctl/v3
  for c in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy; do go_build $c . k8s.io/kubernetes/cmd/$c; done
fi
if [ ! -f "$OUT/e2e-images.tar" ]; then
  for i in agnhost nonewprivs regression-issue-74839 resource-consumer; do go_build $i . k8s.io/kubernetes/test/images/$i; done
  go_build consume-cpu . k8s.io/kubernetes/test/images/resource-consumer/consume-cpu
  go_build sample-apiserver . k8s.io/sample-apiserver
  go_build coredns coredns .
  for i in pause sh; do built $i || gcc -static -Os -s -o "$OUT/bin/$i" "$HERE/$i.c"; done
  if [ ! -d "$OUT/rootfs/usr/bin" ]; then
    rm -rf "$OUT/rootfs"
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | grep debian | head -1)
    debootstrap --variant=minbase --include=curl,dnsutils,netcat-openbsd,iproute2,iptables,procps,nginx-light,stress,iperf,ca-certificates bookworm "$OUT/rootfs" "$mirror" > "$OUT/debootstrap.log"
  fi
  node "$HERE/images.mjs" "$OUT/rootfs" "$OUT/bin" "$OUT/e2e-images.tar"
fi
echo "ready: $OUT"

# Starts the programs of one test cluster and stops them when the process that wanted them has gone.
#
#   sh supervise.sh loopback FOLDER           control plane on loopback, no privileges needed
#   sh supervise.sh isolated FOLDER           whole cluster: network, mounts and processes in namespaces of their own
#   sh supervise.sh inside   FOLDER           (what `isolated` runs as the first process of those namespaces)
#   sh supervise.sh confined FOLDER           (what that becomes, in a namespace of control groups)
#
# Each line of standard input names a program to start with FOLDER/NAME.sh. The end of the input, which comes however
# the other side ended (it returned, panicked, was interrupted or killed), stops everything. What is left of the process
# then is its folder, and that goes too.
size=$1
folder=$2
name=${folder##*/}

# Ctrl-C is for the tests; the end of the input follows from it.
trap '' INT HUP

start() {
    (
        sh "$folder/$1.sh" >"$folder/$1.log" 2>&1 </dev/null &
        echo $! >"$folder/$1.pid"
        wait $!
        echo $? >"$folder/$1.exit"
    ) </dev/null &
    until [ -s "$folder/$1.pid" ]; do sleep 0.02; done
}

serve() {
    while read -r program; do start "$program"; done
}

stop() {
    for file in "$folder"/*.pid; do
        # A program that has ended by itself may have left its number to another process.
        [ -e "${file%.pid}.exit" ] || kill -KILL "$(cat "$file")"
    done
    wait
}

remove() {
    [ -n "$KUBECTL_WI_TEST_KEEP" ] || rm -rf "$folder"
}

# Makes a control group of the cluster's name, goes into it, and makes it the one that is to be seen at its place.
confine() {
    mkdir "$1/$name"
    # In version 1, a new group has no processors and no memory nodes until it is given some.
    for file in cpuset.cpus cpuset.mems; do
        if [ -e "$1/$file" ] && [ ! -e "$1/cgroup.controllers" ]; then cat "$1/$file" >"$1/$name/$file"; fi
    done
    echo $$ >"$1/$name/cgroup.procs"
    mount --bind "$1/$name" "$1"
}

case $size in
loopback)
    trap 'stop; remove; exit' TERM
    serve
    stop
    remove
    ;;
isolated)
    # When the first process in a PID namespace ends, the kernel kills all others in it; the mounts and the network go
    # with the last of them. So nothing that the kubelet, containerd or a container does can outlive this line.
    unshare --mount --net --pid --fork --kill-child --propagation private sh "$0" inside "$folder"
    # Control groups are the one thing that is in no namespace.
    for groups in /sys/fs/cgroup/"$name" /sys/fs/cgroup/*/"$name"; do
        if [ -d "$groups" ]; then find "$groups" -depth -type d -exec rmdir {} \;; fi
    done
    remove
    ;;
inside)
    set -e
    # /proc is still the outer one: the number under which others can enter.
    read -r process _ </proc/self/stat
    # Of the control groups, the cluster sees only those below one of its own, so that they can be found and removed.
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        # Version 2. A controller that cannot be handed down is one that the containers do without.
        for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
            echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || true
        done
        confine /sys/fs/cgroup
    else
        for hierarchy in /sys/fs/cgroup/*; do
            if [ ! -L "$hierarchy" ] && [ -e "$hierarchy/cgroup.procs" ]; then confine "$hierarchy"; fi
        done
    fi
    mount -t proc proc /proc
    echo "$process" >"$folder/process"
    exec unshare --cgroup sh "$0" confined "$folder"
    ;;
confined)
    set -e
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        # Version 2 hands controllers down only from groups without processes.
        mkdir /sys/fs/cgroup/init
        echo $$ >/sys/fs/cgroup/init/cgroup.procs
    fi
    # State that would clash with other clusters, or stay behind: shims' sockets, network namespaces, logs, leases.
    mount -t tmpfs -o mode=0755 run /run
    mkdir -p /run/netns /run/lock /run/wi/log /run/wi/cni /var/lib/cni
    mount --bind /run/wi/log /var/log
    mount --bind /run/wi/cni /var/lib/cni
    # 10.0.0.1 is both the address of the `kubernetes` Service and one of this namespace, so that pods reach the API
    # server without kube-proxy. A veth pair carries it, since not every kernel has the dummy device.
    ip link set lo up
    ip link add node0 type veth peer name node1
    ip address add 10.0.0.1/32 dev node0
    ip link set node0 up
    ip link set node1 up
    ip route add default dev node0
    echo 1 >/proc/sys/net/ipv4/ip_forward
    set +e
    mv "$folder/process" "$folder/inside"
    serve
    ;;
esac

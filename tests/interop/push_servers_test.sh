#!/usr/bin/env bash
# A chart that crossed goes into a real ChartMuseum, with a login, where CHARTMUSEUM names its program: no suite of Debian has it. (A stand-in
# of it, and other servers: push_repositories_test.sh.)
#   push_servers_test.sh LIFTLOCK_LOW LIFTLOCK_HIGH      Exit status 77: CHARTMUSEUM names none.
source "$(dirname "$0")/crossing_machines.sh" || exit 1
source "$(dirname "$0")/package_crossing.sh"
[ -n "${CHARTMUSEUM:-}" ] || skip "CHARTMUSEUM names no program"
mkdir -p "$work/stack" "$work/demo/templates"
cd "$work/stack"
printf 'apiVersion: v2\nname: demo\nversion: 1.2.3+site\n' > "$work/demo/Chart.yaml"
printf 'kind: ConfigMap\n' > "$work/demo/templates/map.yaml"
chart="demo-1.2.3+site.tgz"
tar -C "$work" --owner 0 --group 0 -czf "$chart" demo
echo "a: 1" > "$work/demo/values.yaml" && tar -C "$work" --owner 0 --group 0 -czf "$work/other.tgz" demo
printf '[stack]\nname = "site"\n[chart.demo]\nsource = "%s"\n' "$chart" > liftlock.toml
cross site-1
echo "plant:secret" > "$work/login" && chmod 600 "$work/login"
repository() {  # repository NAME [LINE…]: the one at $port
  { printf '[repository.%s]\nkind = "helm"\naddress = "http://127.0.0.1:%s"\nlogin_file = "%s"\n' "$1" "$port" "$work/login"
    [ $# -lt 2 ] || printf '%s\n' "${@:2}"; } >> "$high_state/config.toml"
}
pushed() {  # pushed NAME: the chart goes there, and nothing does a second time
  high push "$1" > out 2>&1 || { cat out; tail -20 "$work/museum.log"; fail "push $1"; }
  grep -q "^sent: " out || fail "push $1: $(cat out)"
  grep -q "nothing to send" <<< "$(high push "$1")" || fail "the second push $1"
}
museum() {  # museum FOLDER [OPTION…]: its port in $port
  port=$(free_port)
  "$CHARTMUSEUM" --listen-host 127.0.0.1 --port "$port" --storage local --storage-local-rootdir "$1" --basic-auth-user plant --basic-auth-pass secret "${@:2}" > "$work/museum.log" 2>&1 &
  pids+=($!)
  wait_for "http://127.0.0.1:$port/health"
}

museum "$work/charts"
repository museum
echo "plant:wrong" > "$work/login"
refused unauthorized high push museum
echo "plant:secret" > "$work/login"
grep -q "1 of 1 file" <<< "$(high push museum --dry-run)" || fail "the plan: $(high push museum --dry-run)"
[ -z "$(ls "$work/charts" 2> /dev/null)" ] || fail "a dry run sent something"
pushed museum
cmp "$chart" "$work/charts/$chart" || fail "the chart there"
grep -q "digest: $(sha256sum < "$chart" | cut -d' ' -f1)" <<< "$(curl -fsS -u plant:secret "http://127.0.0.1:$port/index.yaml")" || fail "the index there"
museum "$work/other-charts"
curl -fsS -o /dev/null -u plant:secret --data-binary "@$work/other.tgz" "http://127.0.0.1:$port/api/charts"
repository other
refused immutable high push other
museum "$work/many-charts" --depth 2
repository tenant 'prefix = "plant/line"'
pushed tenant
cmp "$chart" "$work/many-charts/plant/line/$chart" || fail "the chart of a tenant"
high audit verify > /dev/null || fail "the audit log"
if grep -rq "secret" "$high_state/audit/"; then fail "the password is in the audit log"; fi
step "helm: a chart goes into ChartMuseum $("$CHARTMUSEUM" --version | grep -o '[0-9][^ ]*' | head -1), with one repository and with several; other bytes are refused"

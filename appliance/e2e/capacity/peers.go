package main

import (
	"fmt"
	"strings"
)

// debian are the programs that are used, with the package that has each.
var debian = map[string]string{
	"ip": "iproute2", "perfdhcp": "kea-admin", "kea-dhcp4": "kea-dhcp4-server", "dhcpd": "isc-dhcp-server",
	"dnsmasq": "dnsmasq-base", "atftpd": "atftpd", "chronyd": "chrony", "unbound": "unbound", "dnsperf": "dnsperf", "qemu-system-aarch64": "qemu-system-arm",
	"chromium": "chromium",
}

// leaseSeconds is the length of every lease: the 8 hours that are phonebox's default.
const leaseSeconds = 28800

// kea keeps its leases in a file (memfile) that it does not sync. It has one thread, as Debian's 2.2 comes.
func kea() spec {
	return spec{
		name: "kea", port: 67, args: []string{"kea-dhcp4", "-c", "$DIR/kea.json"}, env: []string{"KEA_PIDFILE_DIR=$DIR", "KEA_LOCKFILE_DIR=$DIR"},
		files: map[string]string{"kea.json": fmt.Sprintf(`{"Dhcp4": {
  "interfaces-config": {"interfaces": [%q], "dhcp-socket-type": "raw"},
  "lease-database": {"type": "memfile", "persist": true, "name": "$DIR/kea-leases.csv", "lfc-interval": 0},
  "valid-lifetime": %d, "next-server": %q,
  "option-def": [{"name": "voip-tftp", "code": 150, "type": "ipv4-address", "array": true}],
  "option-data": [
    {"name": "domain-name-servers", "data": %[3]q}, {"name": "domain-name", "data": %[4]q}, {"name": "tftp-server-name", "data": %[3]q},
    {"name": "voip-tftp", "data": %[3]q}, {"name": "ntp-servers", "data": %[3]q}],
  "subnet4": [{"id": 1, "subnet": %[5]q, "pools": [{"pool": "%[6]s - $LAST"}]}],
  "loggers": [{"name": "kea-dhcp4", "severity": "ERROR", "output_options": [{"output": "stderr"}]}]
}}
`, iface, leaseSeconds, serverIP, domain, network, poolFirst)},
	}
}

// isc syncs its lease file before each ACK, as it comes.
func isc() spec {
	return spec{
		name: "isc", port: 67, args: []string{"dhcpd", "-4", "-f", "-q", "--no-pid", "-cf", "$DIR/dhcpd.conf", "-lf", "$DIR/dhcpd.leases", iface},
		files: map[string]string{"dhcpd.leases": "", "dhcpd.conf": fmt.Sprintf(`authoritative;
ping-check false;
default-lease-time %d;
max-lease-time %[1]d;
option voip-tftp code 150 = array of ip-address;
subnet 10.77.0.0 netmask %s {
  range %s $LAST;
  next-server %[4]s;
  option domain-name-servers %[4]s;
  option domain-name "%s";
  option tftp-server-name "%[4]s";
  option voip-tftp %[4]s;
  option ntp-servers %[4]s;
}
`, leaseSeconds, netmask, poolFirst, serverIP, domain)},
	}
}

// dnsmasq rewrites and syncs its lease file for each lease, as it comes; probing is off. With tftp it serves files, too.
func dnsmasq(tftp bool) spec {
	s := spec{name: "dnsmasq", port: 67, args: []string{
		"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--log-facility=$DIR/dnsmasq.log", "--interface=" + iface,
		"--bind-interfaces", "--no-resolv", "--no-hosts", "--domain=" + domain, "--local=/" + domain + "/", "--host-record=pbx." + domain + ",10.77.0.10",
		"--srv-host=_sip._udp.pbx." + domain + ",pbx." + domain + ",5060",
		"--dhcp-range=" + poolFirst + ",$LAST," + netmask + ",8h", "--dhcp-lease-max=" + fmt.Sprint(poolSize), "--dhcp-leasefile=$DIR/dnsmasq.leases",
		"--dhcp-authoritative", "--no-ping", "--quiet-dhcp", "--dhcp-option=option:tftp-server," + serverIP, "--dhcp-option=150," + serverIP,
		"--dhcp-option=option:ntp-server," + serverIP,
	}}
	if tftp {
		s.args = append(s.args, "--enable-tftp", "--tftp-root=$TFTP", "--tftp-max=4000", "--quiet-tftp")
	}
	return s
}

// atftpd has 450 threads: with more than 1,000 files open it aborts.
func atftpd() spec {
	return spec{name: "atftpd", port: 69, args: []string{
		"atftpd", "--daemon", "--no-fork", "--user", "root.root", "--maxthread", "450", "--verbose=0", "--logfile", "$DIR/atftpd.log", "--bind-address", serverIP, "$TFTP",
	}}
}

// chronyd answers as a server alone: -x keeps it from the machine's clock.
func chronyd() spec {
	return spec{name: "chronyd", port: 123, args: []string{"chronyd", "-d", "-x", "-u", "root", "-f", "$DIR/chrony.conf"}, files: map[string]string{
		"chrony.conf": "local stratum 8\nallow 10.77.0.0/16\ncmdport 0\nbindaddress " + serverIP + "\nbindcmdaddress /\npidfile $DIR/chronyd.pid\n",
	}}
}

// unbound answers the phones' names from local data.
func unbound() spec {
	return spec{name: "unbound", port: 53, args: []string{"unbound", "-d", "-c", "$DIR/unbound.conf"}, files: map[string]string{
		"unbound.conf": fmt.Sprintf(`server:
  interface: %s
  do-ip6: no
  num-threads: 1
  access-control: 10.77.0.0/16 allow
  chroot: ""
  username: ""
  directory: "$DIR"
  pidfile: ""
  use-syslog: no
  logfile: "$DIR/unbound.log"
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "%s." static
  local-data: "pbx.%[2]s. A 10.77.0.10"
  local-data: "_sip._udp.pbx.%[2]s. SRV 0 0 5060 pbx.%[2]s."
remote-control:
  control-enable: no
`, serverIP, domain),
	}}
}

// best is the best set of peers that was found: the fastest for each service.
func best() []spec { return []spec{kea(), atftpd(), unbound(), chronyd()} }

// line is the command line with its files, for the document.
func (s spec) line() commandLine {
	return commandLine{Who: s.name, Line: strings.Join(append(append([]string{}, s.env...), s.args...), " "), Files: s.files}
}

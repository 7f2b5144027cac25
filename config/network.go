package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Networks is a list of networks; a single address is one of /32 or /128.
type Networks []netip.Prefix

// Contains reports whether an address is in one of the networks. A v4-mapped
// address counts as the IPv4 address in it, and zones count for nothing.
func (ns Networks) Contains(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	for _, n := range ns {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// network parses a prefix or a single address.
func network(v any) (netip.Prefix, error) {
	s, _ := v.(string)
	p, err := netip.ParsePrefix(s)
	if err != nil {
		ip, err := netip.ParseAddr(s)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, errAllowed
		}
		p = netip.PrefixFrom(ip, ip.BitLen())
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, errAllowed
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("an address has bits beyond the /%d: the network is %q", p.Bits(), p.Masked())
	}
	return p, nil
}

// publicAddress parses an address that mail leaves from.
func publicAddress(v any) (netip.Addr, error) {
	s, _ := v.(string)
	ip, err := netip.ParseAddr(s)
	ip = ip.Unmap()
	return ip, allowed(err == nil && ip.Zone() == "" && !ip.IsUnspecified() && !ip.IsLoopback() && !ip.IsMulticast())
}

// listingCode parses an answer that means "listed": RFC 5782, section 2.1, has
// them in 127.0.0.0/8; 127.255.255.0/24 is what lists answer to say that a
// question was refused.
func listingCode(v any) (netip.Addr, error) {
	s, _ := v.(string)
	ip, err := netip.ParseAddr(s)
	if err != nil || !netip.MustParsePrefix("127.0.0.0/8").Contains(ip) {
		return netip.Addr{}, errAllowed
	}
	if netip.MustParsePrefix("127.255.255.0/24").Contains(ip) {
		return netip.Addr{}, errors.New("an address in 127.0.0.0/8 and not in 127.255.255.0/24, which lists answer for errors")
	}
	return ip, nil
}

// hostPort parses "host:port" with a host name or an address, IPv6 in brackets.
func hostPort(v any) (string, error) {
	s, _ := v.(string)
	host, port, err := net.SplitHostPort(s)
	return s, allowed(err == nil && validHost(host) && validPort(port) && port != "0")
}

// resolver parses the address of a DNS server, whose port is 53 if not given.
func resolver(v any) (string, error) {
	s, _ := v.(string)
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		return net.JoinHostPort(s, "53"), nil
	}
	ap, err := netip.ParseAddrPort(s)
	return s, allowed(err == nil && ap.Port() != 0)
}

func validHost(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Zone() == ""
	}
	_, err := hostName(host)
	return err == nil
}

func validPort(port string) bool {
	if port == "" || !isDigit(port[0]) {
		return false
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// store parses a file name or a URL of Redis. The latter may name several
// hosts of a cluster, and then no database, which clusters do not have.
func store(v any) (string, error) {
	s, _ := v.(string)
	scheme, rest, isURL := strings.Cut(s, "://")
	switch {
	case !isURL:
		return fileName(v)
	case scheme != "redis" && scheme != "rediss":
		return "", errAllowed
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	list, db, hasDB := strings.Cut(rest, "/")
	if n, err := strconv.ParseUint(db, 10, 16); hasDB && db != "" && (err != nil || db != strconv.FormatUint(n, 10)) {
		return "", errors.New("a number of a database after the last /")
	}
	hosts := strings.Split(list, ",")
	if len(hosts) > 1 && db != "" && db != "0" {
		return "", errors.New("database 0 where there are several hosts: a cluster has no other")
	}
	for _, host := range hosts {
		if !validRedisHost(host) {
			return "", errors.New("host or host:port after redis://, several with commas between them")
		}
	}
	return s, nil
}

func validRedisHost(s string) bool {
	if _, err := hostPort(s); err == nil {
		return true
	}
	if bare, ok := strings.CutPrefix(s, "["); ok {
		bare, ok = strings.CutSuffix(bare, "]")
		ip, err := netip.ParseAddr(bare)
		return ok && err == nil && ip.Is6()
	}
	return !strings.Contains(s, ":") && validHost(s)
}

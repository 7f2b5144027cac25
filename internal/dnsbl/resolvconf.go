package dnsbl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

const (
	maxResolvers  = 3 // as the C library has it (MAXNS)
	maxResolvConf = 64 << 10
)

// ResolvConf is where systems name their servers.
const ResolvConf = "/etc/resolv.conf"

// SystemResolvers reads the servers, "host:port", out of a file such as
// [ResolvConf] (resolv.conf(5)). There is always one: where the file names
// none, or cannot be read, it is that of this host, as for the C library. An
// error says what is odd about the file, and comes with the servers to use.
func SystemResolvers(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return []string{"127.0.0.1:53"}, fmt.Errorf("resolvers: %w; using 127.0.0.1", err)
	}
	defer f.Close()
	list, err := readResolvers(f)
	if err != nil {
		err = fmt.Errorf("resolvers: %s: %w", path, err)
	}
	return list, err
}

func readResolvers(r io.Reader) (list []string, err error) {
	lines := bufio.NewScanner(io.LimitReader(r, maxResolvConf))
	var odd []error
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] != "nameserver" {
			continue
		}
		addr, err := netip.ParseAddr(strings.Join(fields[1:min(2, len(fields))], ""))
		if err != nil {
			odd = append(odd, fmt.Errorf("%q is no address of a server", strings.Join(fields[1:], " ")))
			continue
		}
		server := net.JoinHostPort(addr.String(), "53")
		if len(list) < maxResolvers && !slices.Contains(list, server) {
			list = append(list, server)
		}
	}
	if err := lines.Err(); err != nil {
		odd = append(odd, err)
	}
	if len(list) == 0 {
		odd = append(odd, errors.New("it names no server; using 127.0.0.1"))
		list = []string{"127.0.0.1:53"}
	}
	return list, errors.Join(odd[:min(len(odd), maxResolvers)]...)
}

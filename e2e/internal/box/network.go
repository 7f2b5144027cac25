//go:build linux

package box

import (
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Networks are the documentation networks of RFC 5737, and that for tests of
// devices (RFC 2544), from which clients of many networks come. Inside the
// namespaces every address of them is this machine's own, so that any of them
// can be listened at and connected from.
func Networks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("198.18.0.0/15"),
	}
}

// Networks6 are of the documentation network of RFC 3849: one that maps
// 192.0.2.0/24, for servers, and three for clients. Every address of them is this
// machine's own, too.
func Networks6() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("2001:db8::c000:200/120"),
		netip.MustParsePrefix("2001:db8:a::/124"),
		netip.MustParsePrefix("2001:db8:b::/124"),
		netip.MustParsePrefix("2001:db8:b:1::/124"),
	}
}

// raiseNetwork brings the loopback interface up and adds Networks and Networks6
// to it: on a loopback interface the whole prefix of an IPv4 address is local
// (ip(7), and 127.0.0.0/8 itself), so one alias for each network is enough. IPv6
// wants each address by itself.
func raiseNetwork() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := raise(fd, "lo"); err != nil {
		return err
	}
	for i, network := range Networks() {
		if err := alias(fd, fmt.Sprintf("lo:%d", i+1), network); err != nil {
			return fmt.Errorf("add %s to the loopback interface: %w", network, err)
		}
	}
	return addAll6()
}

// addAll6 adds every address of Networks6 to the loopback interface.
func addAll6() error {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open an IPv6 socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	for _, network := range Networks6() {
		for a := network.Addr(); network.Contains(a); a = a.Next() {
			if err := add6(fd, lo.Index, a); err != nil {
				return fmt.Errorf("add %s to the loopback interface: %w", a, err)
			}
		}
	}
	return nil
}

// add6 adds one address: the request is struct in6_ifreq (netdevice(7)), which
// unix does not have.
func add6(fd, index int, address netip.Addr) error {
	request := struct {
		address [16]byte
		bits    uint32
		index   int32
	}{address.As16(), 128, int32(index)} //nolint:gosec // an index is small
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&request))) //nolint:gosec // as ioctl(2) has it
	if errno != 0 {
		return errno
	}
	return nil
}

func raise(fd int, name string) error {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request); err != nil {
		return fmt.Errorf("read the flags of %s: %w", name, err)
	}
	request.SetUint16(request.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bring %s up: %w", name, err)
	}
	return nil
}

func alias(fd int, name string, network netip.Prefix) error {
	mask := net.CIDRMask(network.Bits(), network.Addr().BitLen())
	for _, step := range []struct {
		request uint
		address []byte
	}{
		{unix.SIOCSIFADDR, network.Addr().Next().AsSlice()},
		{unix.SIOCSIFNETMASK, mask},
	} {
		request, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		if err := request.SetInet4Addr(step.address); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, step.request, request); err != nil {
			return err
		}
	}
	return nil
}

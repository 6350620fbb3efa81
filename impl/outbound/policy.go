package outbound

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// policy decides about addresses. The registries are those of code.dny.dev/ssrf;
// it adds what that package leaves to its users: IPv4 inside IPv6, zones, and an
// allow-list that also frees the port.
type policy struct {
	allow    []netip.Prefix
	guardian *ssrf.Guardian // address and port
	addrs    *ssrf.Guardian // address alone, for the IPv4 inside an IPv6 address
}

func newPolicy(allow []netip.Prefix, ports []uint16) *policy {
	p := &policy{guardian: ssrf.New(ssrf.WithPorts(ports...)), addrs: ssrf.New(ssrf.WithAnyPort())}
	for _, prefix := range allow {
		p.allow = append(p.allow, unmapPrefix(prefix))
	}
	return p
}

// unmapPrefix turns ::ffff:10.0.0.0/104 into 10.0.0.0/8, as addresses are
// compared unmapped.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked()
	}
	return p.Masked()
}

// control is a net.Dialer's Control: it sees the address of every attempt after
// resolution, which is the one that is connected to.
func (p *policy) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: network %s", ErrDenied, network)
	}
	dest, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return p.check(dest)
}

func (p *policy) check(dest netip.AddrPort) error {
	addr := dest.Addr().Unmap()
	if addr.Zone() != "" {
		return fmt.Errorf("%w: %s has a zone", ErrDenied, addr)
	}
	if p.allowed(addr) {
		return nil
	}
	if v4, ok := nat64(addr); ok {
		// On a network without IPv4, NAT64 is how public IPv4 hosts are reached.
		addr = v4
	}
	if err := p.guardian.SafeAddrPort(netip.AddrPortFrom(addr, dest.Port())); err != nil {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return nil
}

// allowed reports whether the operator freed addr. An address of a transition
// mechanism needs its IPv4 freed or public too: freeing 64:ff9b::/96 for NAT64
// does not open 127.0.0.1.
func (p *policy) allowed(addr netip.Addr) bool {
	if !slices.ContainsFunc(p.allow, func(n netip.Prefix) bool { return n.Contains(addr) }) {
		return false
	}
	v4, ok := embedded(addr)
	return !ok || p.allowed(v4) || p.addrs.SafeAddr(v4) == nil
}

var (
	nat64Prefix  = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour    = netip.MustParsePrefix("2002::/16")
	teredo       = netip.MustParsePrefix("2001::/32")
	v4Compatible = netip.MustParsePrefix("::/96")
)

func nat64(addr netip.Addr) (netip.Addr, bool) {
	if !nat64Prefix.Contains(addr) {
		return netip.Addr{}, false
	}
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:])), true
}

// embedded returns the IPv4 address inside addr: NAT64 (RFC 6052), 6to4
// (RFC 3056), Teredo (RFC 4380, stored inverted), IPv4-compatible (RFC 4291).
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if v4, ok := nat64(addr); ok {
		return v4, true
	}
	b := addr.As16()
	switch {
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case teredo.Contains(addr):
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), true
	case v4Compatible.Contains(addr) && addr != netip.IPv6Loopback() && !addr.IsUnspecified():
		return netip.AddrFrom4([4]byte(b[12:])), true
	}
	return netip.Addr{}, false
}

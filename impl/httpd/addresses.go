package httpd

import (
	"context"
	"net/netip"
	"time"

	"parley/impl/core/fault"
)

// addressWindow is the time in which one address's requests are counted.
const addressWindow = time.Minute

// admitAddress counts a request that names no account by the address that it
// comes from. One too many is a RateLimited fault, which says exactly when the
// next is admitted.
func (e *Edge) admitAddress(ip string) error {
	wait := e.crowd.Take(network(ip), time.Now())
	if wait == 0 {
		return nil
	}
	f := fault.New(fault.RateLimited, "Too many requests from this address.")
	f.RetryAfter = wait
	return f
}

// ClientNetwork names what counts as the client's one network, to count by; ""
// when the client has no address.
func ClientNetwork(ctx context.Context) string {
	if p := network(ClientIP(ctx)); p.IsValid() {
		return p.String()
	}
	return ""
}

// network is what counts as one client: an IPv4 address, or the /64 that an
// IPv6 customer gets. What is no address counts as one of its own.
func network(ip string) netip.Prefix {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

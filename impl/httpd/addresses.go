package httpd

import (
	"net/netip"
	"sync"
	"time"

	"parley/impl/core/fault"
)

const (
	// addressWindow is the time in which one address's requests are counted.
	addressWindow = time.Minute
	// addressesMax bounds each of the two generations of remembered addresses.
	addressesMax = 32 << 10
)

// addresses counts requests that name no account by the address that they come
// from, in memory and of this server alone: it keeps a stranger from making
// work, it is no plan. An address has a bucket that refills evenly over the
// window; only the time at which it will be full again is kept.
type addresses struct {
	perWindow int // 0: not limited
	now       func() time.Time

	mu         sync.Mutex
	young, old map[netip.Prefix]time.Time
}

// admit counts a request from ip. One too many is a RateLimited fault, which
// says exactly when the next is admitted.
func (a *addresses) admit(ip string) error {
	if a.perWindow == 0 {
		return nil
	}
	client, now := network(ip), a.now()
	each := addressWindow / time.Duration(a.perWindow)
	a.mu.Lock()
	defer a.mu.Unlock()
	full, known := a.young[client]
	if !known {
		full = a.old[client]
	}
	if full.Before(now) {
		full = now
	}
	if wait := full.Add(each).Sub(now) - addressWindow; wait > 0 {
		f := fault.New(fault.RateLimited, "Too many requests from this address.")
		f.RetryAfter = wait
		return f
	}
	if a.young == nil || (!known && len(a.young) >= addressesMax) {
		a.old, a.young = a.young, make(map[netip.Prefix]time.Time)
	}
	a.young[client] = full.Add(each)
	return nil
}

// network is what counts as one client: an IPv4 address, or the /64 that an
// IPv6 customer gets. What is no address counts as one of its own.
func network(ip string) netip.Prefix {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap()
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

package outbound

import (
	"net/netip"
	"testing"
)

func TestPolicy(t *testing.T) {
	t.Parallel()
	strict := newPolicy(nil, []uint16{80, 443})
	open := newPolicy([]netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2002::/16"),
		netip.MustParsePrefix("::ffff:192.168.0.0/112"), netip.MustParsePrefix("fd00::/8"),
	}, []uint16{80, 443})
	for _, c := range []struct {
		dest         string
		strict, open bool
	}{
		{"8.8.8.8:443", true, true}, {"[2606:4700::1111]:443", true, true}, {"[::ffff:8.8.8.8]:80", true, true},
		{"8.8.8.8:22", false, false}, {"[2606:4700::1111]:5432", false, false},
		{"[64:ff9b::808:808]:443", true, true}, {"[64:ff9b::808:808]:22", false, true},
		{"[64:ff9b::7f00:1]:443", false, false}, {"[64:ff9b::a9fe:a9fe]:80", false, false}, {"[64:ff9b::a00:1]:80", false, true},
		{"[64:ff9b:1::a00:1]:80", false, false},
		{"[2002:808:808::1]:443", false, true}, {"[2002:7f00:1::]:443", false, false}, {"[2002:a00:1::]:443", false, true},
		{"[2001:0:4136:e378:8000:63bf:3fff:fdd2]:443", false, false}, {"[::8.8.8.8]:443", false, false},
		{"10.1.2.3:5432", false, true}, {"[::ffff:10.1.2.3]:80", false, true}, {"192.168.3.4:80", false, true}, {"192.169.3.4:80", true, true},
		{"[fd00:ec2::254]:80", false, true}, {"169.254.169.254:80", false, false}, {"[fe80::1%eth0]:80", false, false},
		{"100.64.0.1:80", false, false}, {"0.0.0.0:80", false, false}, {"0.1.2.3:80", false, false}, {"198.18.0.1:80", false, false},
		{"192.0.0.1:80", false, false}, {"240.0.0.1:80", false, false}, {"[fec0::1]:80", false, false}, {"[2001:db8::1]:80", false, false},
		{"[5f00::1]:80", false, false}, {"[100::1]:80", false, false}, {"[3fff::1]:80", false, false},
	} {
		dest := netip.MustParseAddrPort(c.dest)
		if got := strict.check(dest) == nil; got != c.strict {
			t.Errorf("strict %s: %v", c.dest, got)
		}
		if got := open.check(dest) == nil; got != c.open {
			t.Errorf("open %s: %v", c.dest, got)
		}
	}
}

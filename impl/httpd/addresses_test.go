package httpd

import "testing"

// One customer has 2^64 IPv6 addresses; they count as one.
func TestAddressesOfOneNetworkCountAsOne(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{{"2001:db8::1", "2001:db8::ffff:1"}, {"192.0.2.1", "::ffff:192.0.2.1"}, {"fe80::1%eth0", "fe80::2"}, {"", "nonsense"}} {
		if network(same[0]) != network(same[1]) {
			t.Errorf("%q and %q count apart", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"2001:db8::1", "2001:db8:0:1::1"}, {"192.0.2.1", "192.0.2.2"}} {
		if network(other[0]) == network(other[1]) {
			t.Errorf("%q and %q count as one", other[0], other[1])
		}
	}
}

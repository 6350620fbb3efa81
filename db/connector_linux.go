package db

import "syscall"

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), which the package syscall does not name.
const tcpUserTimeout = 0x12

// limitUnacked ends a connection whose other side does not acknowledge what was
// sent for unackedMax: by default that takes a quarter of an hour.
func limitUnacked(network, _ string, c syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unackedMax.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}

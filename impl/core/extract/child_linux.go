package extract

import (
	"syscall"
)

// procAttr: a child never outlives the server, and signals to the server's
// terminal do not reach it.
func procAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// confine limits this process by the kernel: processor time, data in memory, no
// files written, hardly any opened, no dump of memory.
func confine(l Limits) error {
	return setLimits(l, []resource{
		{syscall.RLIMIT_DATA, uint64(l.MemoryBytes) * 2},
		{syscall.RLIMIT_NOFILE, 16},
		{syscall.RLIMIT_FSIZE, 0},
	})
}

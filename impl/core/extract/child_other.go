//go:build unix && !linux

package extract

import (
	"syscall"
)

// procAttr: there is no parent-death signal here; the limit of processor time
// ends an orphan.
func procAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// confine limits this process by the kernel as far as it offers it; memory is
// watched by the process itself.
func confine(l Limits) error { return setLimits(l, nil) }

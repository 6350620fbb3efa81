package embedpg

import "syscall"

// hasFolderDescriptors: /proc/self/fd/N can be used as a folder.
const hasFolderDescriptors = true

// procAttr asks the kernel to interrupt the child when its parent dies. SIGINT
// is the fast shutdown; SIGTERM would wait for clients for ever, SIGQUIT would
// cost a recovery.
func procAttr(who account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Credential: who.credential(), Pdeathsig: syscall.SIGINT}
}

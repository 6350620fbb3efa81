//go:build unix && !linux

package embedpg

import "syscall"

// hasFolderDescriptors: as root the account has to be able to search the folders
// above the data folder.
const hasFolderDescriptors = false

// procAttr: there is no parent-death signal here; the next start ends the orphan.
func procAttr(who account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Credential: who.credential()}
}

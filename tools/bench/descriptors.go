package main

import "syscall"

// descriptors is how many files a process may have open at most; Go programs take all that they may.
func descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(limit.Max)
}

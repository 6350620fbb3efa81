package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// unmapProgram lets go of the pages of the program itself: the start reads most of them once, in initialisers and
// beside what it reads, and the server a third of them afterwards. Those come back as they are used, from the
// kernel's cache. What cannot be let go of stays, which costs memory alone.
func unmapProgram() {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	for _, m := range unchanged(bufio.NewScanner(maps), path) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// unchanged returns the mappings of a file that are as the file is: read only, and without a page of the process's
// own, such as those that a loader has relocated, which would be lost. Lines are those of /proc/PID/smaps.
func unchanged(lines *bufio.Scanner, path string) []mapping {
	var found []mapping
	var last mapping
	whose := ""
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 0 && !strings.HasSuffix(fields[0], ":") {
			whose = ""
			if _, err := fmt.Sscanf(fields[0], "%x-%x", &last.from, &last.to); err == nil && len(fields) == 6 && !strings.Contains(fields[1], "w") {
				whose = fields[5]
			}
		}
		if whose == path && len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0" {
			found = append(found, last)
		}
	}
	return found
}

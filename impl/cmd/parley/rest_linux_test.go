package main

import (
	"bufio"
	"slices"
	"strings"
	"testing"
)

func TestOnlyUnchangedPagesOfTheProgramAreLetGoOf(t *testing.T) {
	const smaps = `00400000-01e64000 r-xp 00000000 fe:00 12                         /bin/parley
Rss:               20944 kB
Anonymous:             0 kB
AnonHugePages:         0 kB
VmFlags: rd ex mr mw me
01e64000-04334000 r--p 01a64000 fe:00 12                         /bin/parley
Anonymous:             4 kB
04334000-047c6000 rw-p 03f34000 fe:00 12                         /bin/parley
Anonymous:             0 kB
7efe337a4000-7efe337a8000 r--p 001cf000 fe:00 13                 /lib/libc.so.6
Anonymous:             0 kB
7fffa5cd7000-7fffa5cf8000 r--p 00000000 00:00 0                  [vvar]
Anonymous:             0 kB
7ffff0000000-7ffff0001000 r--p 00000000 00:00 0
Anonymous:             0 kB
`
	found := unchanged(bufio.NewScanner(strings.NewReader(smaps)), "/bin/parley")
	if want := []mapping{{0x400000, 0x1e64000}}; !slices.Equal(found, want) {
		t.Errorf("%x, not %x", found, want)
	}
}

//go:build unix && !linux

package embedpg

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// processesIn returns the Postgres processes whose working folder is dir, as
// lsof lists them: a line p<pid> for each process, then n<folder>.
func processesIn(ctx context.Context, _ account, dir string) ([]int, error) {
	want, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("look for postgres processes: %w", err)
	}
	out, err := exec.CommandContext(ctx, lsof(), "-w", "-a", "-d", "cwd", "-c", "postgres", "-Fpn").Output()
	// lsof exits with 1 when nothing matches.
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("look for postgres processes: %w", err)
	}
	var found []int
	var pid int
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		line := lines.Text()
		switch {
		case len(line) > 1 && line[0] == 'p':
			pid, _ = strconv.Atoi(line[1:])
		case len(line) > 1 && line[0] == 'n' && pid > 0:
			if cwd, err := os.Stat(line[1:]); err == nil && os.SameFile(want, cwd) {
				found = append(found, pid)
			}
		}
	}
	return found, nil
}

// lsof is outside a service's usual PATH on macOS.
func lsof() string {
	if found, err := exec.LookPath("lsof"); err == nil {
		return found
	}
	return "/usr/sbin/lsof"
}

func runs(pid int) bool { return alive(pid) }

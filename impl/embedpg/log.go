//go:build unix

package embedpg

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	logBytesMax = 4 << 20 // a larger postgres.log is emptied at the next start
	tailBytes   = 2 << 10
	tailLines   = 8
)

func (h *home) logPath() string { return filepath.Join(h.dir, "postgres.log") }

// openLog opens postgres.log for appending. Postgres writes to it directly, so
// that it needs nothing of this process while it shuts down after our end.
func (h *home) openLog() (*os.File, error) {
	f, err := os.OpenFile(h.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() > logBytesMax {
		err = f.Truncate(0)
	}
	if err == nil {
		h.logStart, err = f.Seek(0, io.SeekEnd)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

// logTail returns the last lines that Postgres wrote since this start.
func (h *home) logTail() string {
	f, err := os.Open(h.logPath())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(h.logStart, info.Size()-tailBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, from, tailBytes))
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text))
}

// lastLines joins the end of a program's output into one line.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "; ")
}

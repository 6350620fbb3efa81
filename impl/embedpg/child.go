//go:build unix

package embedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// child is a program of a Postgres installation that is about to run under the
// account. Its first failure is reported by spawn.
type child struct {
	cmd   *exec.Cmd
	drop  bool
	files []*os.File
	err   error
}

// newChild prepares program. When ctx ends it is interrupted, later killed. Its
// working folder is /, because the account may not be able to enter ours, and it
// has a session of its own: Ctrl-C in a terminal goes to the whole foreground
// group, and Postgres must outlast the requests that are being finished.
func newChild(ctx context.Context, who account, program string) *child {
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = "/"
	cmd.Env = childEnv(os.Environ())
	cmd.SysProcAttr = procAttr(who)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 5 * time.Second
	return &child{cmd: cmd, drop: who.drop}
}

// passedOn are the variables a child gets. A list of what is allowed, because
// the server's environment holds secrets that the account must not read, and the
// user's PG* and LC_* would change what the child does.
var passedOn = []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "LOCPATH", "NIX_LD", "NIX_LD_LIBRARY_PATH"}

func childEnv(environ []string) []string {
	kept := slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return !slices.Contains(passedOn, name)
	})
	return append(kept, "LC_ALL=C", "TZ=UTC")
}

func (c *child) args(args ...string) { c.cmd.Args = append(c.cmd.Args, args...) }

// dir names the folder path in a way that the account can follow.
func (c *child) dir(path string) string {
	if !c.drop || !hasFolderDescriptors {
		return path
	}
	f, err := os.Open(path)
	if err != nil {
		c.err = errors.Join(c.err, err)
		return path
	}
	c.files = append(c.files, f)
	// The child sees ExtraFiles from descriptor 3 on.
	return fmt.Sprintf("/proc/self/fd/%d", 2+len(c.files))
}

func (c *child) close() {
	for _, f := range c.files {
		f.Close()
	}
}

// process is a started child.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and is reaped
	err  error         // of Wait; read after done
}

// spawn starts the child from a thread that lives as long as the child, because
// the parent-death signal is sent when the thread that forked ends (Go issue 27505).
func (c *child) spawn() (*process, error) {
	if c.err != nil {
		return nil, c.err
	}
	c.cmd.ExtraFiles = c.files
	p := &process{cmd: c.cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = c.cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("run postgres as uid %d: %w", c.uid(), err)
	}
	return p, nil
}

func (c *child) uid() int {
	if cred := c.cmd.SysProcAttr.Credential; cred != nil {
		return int(cred.Uid)
	}
	return os.Geteuid()
}

// output runs the child to its end and returns all that it wrote; an error quotes
// the end of it.
func (c *child) output() (string, error) {
	defer c.close()
	var text strings.Builder
	c.cmd.Stdout, c.cmd.Stderr = &text, &text
	p, err := c.spawn()
	if err != nil {
		return "", err
	}
	<-p.done
	if p.err != nil && text.Len() > 0 {
		return "", fmt.Errorf("%w: %s", p.err, lastLines(text.String()))
	}
	return strings.TrimSpace(text.String()), p.err
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// reason says how the process ended.
func (p *process) reason() error {
	if p.err != nil {
		return p.err
	}
	return errors.New("exit status 0")
}

// shutdown is for a postmaster: fast, then immediate, then by force.
func (p *process) shutdown() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	for _, step := range []struct {
		signal syscall.Signal
		within time.Duration
	}{{syscall.SIGINT, fastShutdown}, {syscall.SIGQUIT, hardShutdown}} {
		// It may have ended in between; done tells.
		_ = p.cmd.Process.Signal(step.signal)
		select {
		case <-p.done:
			return p.err
		case <-time.After(step.within):
		}
	}
	return p.abandon()
}

// abandon kills a process that nothing is expected of.
func (p *process) abandon() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	err := p.cmd.Process.Kill()
	<-p.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

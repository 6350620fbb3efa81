package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one program of the rig.
type process struct {
	name string
	addr string // where it serves; "" for a driver
	cmd  *exec.Cmd
	log  *os.File
}

// start runs a program with a log file in the rig's folder. It ends with the rig.
func (g *rig) start(name, addr string, env []string, program string, args ...string) (*process, error) {
	logFile, err := os.Create(filepath.Join(g.folder, name+".log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(g.ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{name: name, addr: addr, cmd: cmd, log: logFile}
	g.processes = append(g.processes, p)
	return p, nil
}

func (p *process) stop() error {
	if p.cmd.ProcessState != nil {
		return nil
	}
	err := p.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	_ = p.cmd.Wait() // ended by a signal
	return err
}

// await returns when the process answers a GET of path with 200.
func (p *process) await(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+path, nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(r); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer, see %s", p.name, p.log.Name())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freeAddr is an address on the loopback that nobody listens on.
func freeAddr() (string, error) {
	l, err := listen()
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func listen() (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
}

func dial(addr string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(context.Background(), "tcp", addr)
}

// drive runs a load by a driver process and returns what it saw.
func (g *rig) drive(l load) (result, error) { return g.driveHeld(l, nil) }

// driveHeld runs a load and calls whenOpen when all its held streams are open.
func (g *rig) driveHeld(l load, whenOpen func() error) (result, error) {
	cmd := exec.CommandContext(g.ctx, g.self, "load")
	cmd.Env = append(os.Environ(), g.loadEnv...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return result{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	var r result
	err = errors.Join(json.NewEncoder(in).Encode(l), readResult(out, in, l.Hold, whenOpen, &r))
	return r, errors.Join(err, cmd.Wait())
}

func readResult(out io.Reader, in io.Closer, hold bool, whenOpen func() error, r *result) error {
	decoder := json.NewDecoder(out)
	if !hold {
		defer in.Close()
		return decoder.Decode(r)
	}
	var open string
	if err := decoder.Decode(&open); err != nil {
		return fmt.Errorf("streams did not all open: %w", err)
	}
	failure := whenOpen()
	return errors.Join(failure, in.Close(), decoder.Decode(r))
}

// cpu is the processor time in seconds that a process has used.
func cpu(pid int) float64 {
	fields := stat(pid)
	return seconds(fields, 11, 12)
}

// stat returns the fields of /proc/PID/stat from the third on; nil when it has ended.
func stat(pid int) []string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
}

const ticksPerSecond = 100 // of /proc on Linux

func seconds(fields []string, at ...int) float64 {
	sum := 0
	for _, i := range at {
		if i < len(fields) {
			n, _ := strconv.Atoi(fields[i])
			sum += n
		}
	}
	return float64(sum) / ticksPerSecond
}

// cpuOfPostgres is that of a postmaster with its children, ended ones too.
func cpuOfPostgres(postmaster int) float64 {
	sum := seconds(stat(postmaster), 11, 12, 13, 14)
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		pid, _ := strconv.Atoi(filepath.Base(folder))
		if fields := stat(pid); len(fields) > 1 && fields[1] == strconv.Itoa(postmaster) {
			sum += seconds(fields, 11, 12)
		}
	}
	return sum
}

// memory returns a line of /proc/PID/status in megabytes: VmRSS now, VmHWM at most.
func memory(pid int, line string) float64 {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(raw), line+":")
	kilobytes, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return float64(kilobytes) / 1024
}

// forgetPeak lets VmHWM begin anew.
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

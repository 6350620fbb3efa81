package extract

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"parley/impl/core/fault"
)

// childArgument is the hidden command of the server's program that reads one
// file: "parley extract". It takes a line of JSON and the file on its standard
// input and answers with JSON.
const childArgument = "extract"

// answer is what the child says.
type answer struct {
	Document Document `json:"document"`
	Refusal  string   `json:"refusal,omitempty"` // for a person; "" when the file was read
	Cause    string   `json:"cause,omitempty"`   // for the log
}

// RunChild turns a process that was started to read a file into that reader, and
// then does not return. Programs whose Extractor is used call it first in main.
func RunChild() {
	if len(os.Args) != 2 || os.Args[1] != childArgument {
		return
	}
	if err := serveChild(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serveChild(stdin io.Reader, stdout io.Writer) error {
	r := bufio.NewReader(stdin)
	head, err := r.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	var in input
	if err := json.Unmarshal(head, &in); err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	if err := confine(in.Limits); err != nil {
		return fmt.Errorf("confine the reader: %w", err)
	}
	go watchMemory(in.Limits.MemoryBytes)
	if in.content, err = io.ReadAll(r); err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	out, err := json.Marshal(in.answer())
	if err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	_, err = stdout.Write(out)
	return err
}

func (in input) answer() answer {
	format, err := in.sniff()
	if err != nil {
		return answer{Refusal: err.Error()}
	}
	doc, err := in.read(format)
	if err == nil {
		return answer{Document: doc}
	}
	refusal := fault.From(err)
	a := answer{Refusal: refusal.Message}
	if cause := errors.Unwrap(refusal); cause != nil {
		a.Cause = cause.Error()
	}
	return a
}

// exitMemory is the status of a child that used too much memory.
const exitMemory = 3

// watchMemory ends the process when its heap outgrows the limit. It is kinder
// than the kernel's limit, which stands a little higher: it can say why.
func watchMemory(bytesMax int) {
	debug.SetMemoryLimit(int64(bytesMax) * 3 / 4)
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for range time.Tick(5 * time.Millisecond) {
		metrics.Read(sample)
		if sample[0].Value.Uint64()-sample[1].Value.Uint64() > uint64(bytesMax) {
			os.Exit(exitMemory)
		}
	}
}

// inChild reads the file in a process of its own.
func (x *Extractor) inChild(ctx context.Context, in input) (Document, error) {
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-ctx.Done():
		return Document{}, ctx.Err()
	}
	program, err := os.Executable()
	if err != nil {
		return Document{}, notRun(err)
	}
	task, err := json.Marshal(in)
	if err != nil {
		return Document{}, notRun(err)
	}
	limited, cancel := context.WithTimeout(ctx, in.Limits.Timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, program, childArgument)
	cmd.Env = []string{"GOTRACEBACK=none", "GOMAXPROCS=2"} // nothing of the server's: its environment holds secrets
	cmd.Dir = "/"
	cmd.Stdin = io.MultiReader(bytes.NewReader(append(task, '\n')), bytes.NewReader(in.content))
	out := &capped{left: answerFactor*in.Limits.OutputBytesMax + 1<<20}
	notes := &capped{left: 4 << 10, drop: true}
	cmd.Stdout, cmd.Stderr = out, notes
	cmd.SysProcAttr = procAttr()
	cmd.WaitDelay = time.Second
	err = runOnThread(cmd)
	if ctx.Err() != nil {
		return Document{}, ctx.Err()
	}
	if limited.Err() != nil {
		return Document{}, refuse("Reading the file took longer than %s.", in.Limits.Timeout)
	}
	return conclude(err, out, notes.String())
}

// answerFactor is how much longer an answer can be than the text in it, links
// and escapes included.
const answerFactor = 4

// runOnThread keeps the thread that starts the child until it ends: the kernel
// ends the child when that thread ends, which the Go runtime may do at any time
// to a thread without work.
func runOnThread(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}

// conclude turns the child's end into a document or the reason why there is none.
func conclude(err error, out *capped, notes string) (Document, error) {
	var exit *exec.ExitError
	switch {
	case out.over:
		return Document{}, refuse("The file holds more text than is read.")
	case errors.As(err, &exit) && exit.ExitCode() == exitMemory:
		return Document{}, refuse("Reading the file needs more memory than is allowed.")
	case errors.As(err, &exit) && exit.ExitCode() != 1:
		return Document{}, fault.New(fault.Invalid, "The file could not be read: its content made the reader fail.").Because(fmt.Errorf("%w: %s", err, notes))
	case err != nil:
		return Document{}, notRun(fmt.Errorf("%w: %s", err, notes))
	}
	var a answer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		return Document{}, notRun(fmt.Errorf("answer of the reader: %w", err))
	}
	if a.Refusal != "" {
		f := fault.New(fault.Invalid, "%s", a.Refusal)
		if a.Cause != "" {
			f = f.Because(errors.New(a.Cause))
		}
		return Document{}, f
	}
	return a.Document, nil
}

func notRun(cause error) error {
	return fault.New(fault.Unavailable, "The file cannot be read at the moment.").Because(cause)
}

// capped is a buffer with a ceiling. Beyond it writes fail, or are dropped.
type capped struct {
	bytes.Buffer
	left int
	drop bool
	over bool
}

// Write implements io.Writer.
func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	_, _ = c.Buffer.Write(p[:n]) // a buffer's writes do not fail
	if n < len(p) && !c.drop {
		c.over = true
		return n, errors.New("too much output")
	}
	return len(p), nil
}

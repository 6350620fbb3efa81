package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/db"
	"parley/impl/core/fault"
)

func TestFrom(t *testing.T) {
	t.Parallel()
	known := fault.New(fault.NoFunds, "no %s", "funds")
	cause := errors.New("canary-of-a-cause")
	for name, c := range map[string]struct {
		err     error
		kind    fault.Kind
		message string
	}{
		"fault":             {known, fault.NoFunds, "no funds"},
		"wrapped fault":     {fmt.Errorf("begin: %w", known), fault.NoFunds, "no funds"},
		"fault with cause":  {known.Because(cause), fault.NoFunds, "no funds"},
		"caller left":       {fmt.Errorf("read: %w", context.Canceled), fault.Canceled, "The request was canceled."},
		"database away":     {errors.Join(db.ErrUnavailable, cause), fault.Unavailable, "The database is not available."},
		"disk full":         {fmt.Errorf("write: %w", &fs.PathError{Op: "write", Err: syscall.ENOSPC}), fault.Unavailable, "There is no room to store this now."},
		"quota used up":     {syscall.EDQUOT, fault.Unavailable, "There is no room to store this now."},
		"row not found":     {db.ErrNotFound, fault.Internal, "Internal error"},
		"anything else":     {cause, fault.Internal, "Internal error"},
		"left while a wait": {errors.Join(context.Canceled, db.ErrUnavailable), fault.Canceled, "The request was canceled."},
	} {
		f := fault.From(c.err)
		if f.Kind != c.kind || f.Message != c.message || fault.KindOf(c.err) != c.kind {
			t.Errorf("%s: %s %q", name, f.Kind, f.Message)
		}
		if strings.Contains(f.Message, "canary") || !errors.Is(f, known) && !errors.Is(f, c.err) && f.Unwrap() == nil {
			t.Errorf("%s: the message shows the cause, or the log does not: %v", name, f)
		}
	}
	if fault.From(nil) != nil {
		t.Error("no error became a fault")
	}
	if f := fault.From(db.ErrUnavailable); f.RetryAfter != time.Second {
		t.Errorf("retry after %v", f.RetryAfter)
	}
	if known.Unwrap() != nil {
		t.Error("Because changed the fault it was called on")
	}
}

func TestEveryKindHasAName(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range fault.Kinds() {
		if name := k.String(); name == "" || seen[name] {
			t.Errorf("kind %d is called %q", k, name)
		}
		seen[k.String()] = true
	}
	if fault.Kinds()[len(fault.Kinds())-1] != fault.UpgradeRequired {
		t.Error("the names do not cover the kinds")
	}
}

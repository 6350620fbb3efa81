package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// ErrNotFound says that the row does not exist in the account.
var ErrNotFound = errors.New("not found")

// ErrUnavailable says that Postgres cannot be reached or does not take work now.
var ErrUnavailable = errors.New("database unavailable")

// ConflictError says that a row broke the named unique or foreign key constraint.
type ConflictError struct{ Constraint string }

func (e *ConflictError) Error() string { return "conflict with constraint " + e.Constraint }

// translateIn is translate for a statement that ran under ctx: when its caller
// left, that is context.Canceled, whatever the driver made of it.
func translateIn(ctx context.Context, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.Canceled) && (pq.As(err, pqerror.QueryCanceled) != nil || unavailable(err)) {
		return errors.Join(context.Canceled, err)
	}
	return translate(err)
}

// translate gives driver errors this package's names and keeps the original
// in the chain for the log.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case unavailable(err):
		return errors.Join(ErrUnavailable, err)
	}
	if e := pq.As(err, pqerror.UniqueViolation, pqerror.ForeignKeyViolation); e != nil {
		return errors.Join(&ConflictError{Constraint: e.Constraint}, err)
	}
	return err
}

func unavailable(err error) bool {
	var netErr *net.OpError
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) {
		return true
	}
	var e *pq.Error
	if !errors.As(err, &e) {
		return false
	}
	// Connection exceptions, transactions rolled back for the sake of others, resources
	// that ran out, statements over their deadline, and the shutdown states of a server.
	code := string(e.Code)
	for _, class := range []string{"08", "40", "53", "57014", "57P0"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

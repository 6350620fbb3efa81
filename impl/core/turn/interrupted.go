package turn

import (
	"parley/db"
	"parley/impl/core/fault"
)

// errDied is how a turn ends that was taken over.
var errDied = fault.New(fault.Unavailable, "The server that made this answer stopped.")

// Interrupted tells whether a turn failed because its server stopped or died, which says
// nothing about its request: another server may answer the same.
func Interrupted(t db.Turn) bool {
	return t.State == db.TurnFailed && t.Failure != nil && (*t.Failure == errDied.Message || *t.Failure == errStopping.Message)
}
